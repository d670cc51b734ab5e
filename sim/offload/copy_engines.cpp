#include "sim/offload/copy_engines.hpp"

namespace switchyard {

CopyEngines::CopyEngines(const MemoryTier& tier, const CachePolicy& policy, const CacheShape& shape)
    : tier_(tier),
      host_free_((tier.gpus + tier.gpus_per_link - 1) / tier.gpus_per_link, 0),
      no_pins_(shape.keys(), 0) {
  if (tier.ssd.exists() && tier.host_bytes > 0) {
    host_cache_.emplace(policy, shape, tier.host_bytes);
  }
  ssd_ = {.name = "ssd", .engines = 1};
  host_ = {.name = "host", .engines = host_free_.size()};
}

CopyEngines::Times CopyEngines::times(std::size_t gpu,
                                      std::uint32_t key,
                                      std::int64_t bytes,
                                      double now) const {
  Times answer{.end = now};
  const bool is_in_host =
      !tier_.ssd.exists() || (host_cache_ && host_cache_->bytes_of(key) >= bytes);
  if (!is_in_host) {
    answer.ssd_end = std::max(now, ssd_free_) + tier_.ssd.seconds(bytes);
    answer.end = answer.ssd_end;
  }
  if (tier_.host.exists()) {
    const double free = host_free_[gpu / tier_.gpus_per_link];
    answer.end = std::max(answer.end, free) + tier_.host.seconds(bytes);
  }
  return answer;
}

double CopyEngines::estimate(std::size_t gpu,
                             std::uint32_t key,
                             std::int64_t bytes,
                             double now) const {
  return times(gpu, key, bytes, now).end;
}

double CopyEngines::copy(std::size_t gpu,
                         std::uint32_t key,
                         std::int64_t bytes,
                         double now,
                         bool is_demand,
                         const CacheMoment& moment) {
  const Times answer = times(gpu, key, bytes, now);
  const auto book = [&](LinkUse& use, const CopyLink& link) {
    (is_demand ? use.demand_bytes : use.prefetch_bytes) += bytes;
    ++use.copies;
    use.busy_s += link.seconds(bytes);
  };
  if (answer.ssd_end > 0) {
    book(ssd_, tier_.ssd);
    ssd_free_ = answer.ssd_end;
  }
  if (tier_.host.exists()) {
    book(host_, tier_.host);
    host_free_[gpu / tier_.gpus_per_link] = answer.end;
  }
  use_host_copy(key, bytes, moment);
  return answer.end;
}

// Host memory holds an expert in the most precise form that was read.
void CopyEngines::use_host_copy(std::uint32_t key, std::int64_t bytes, const CacheMoment& moment) {
  if (!host_cache_) {
    return;
  }
  if (host_cache_->contains(key) && host_cache_->bytes_of(key) < bytes) {
    host_cache_->erase(key);
  }
  if (host_cache_->contains(key) || host_cache_->insert(key, bytes, moment, no_pins_)) {
    host_cache_->use(key, moment);
  }
}

void CopyEngines::start_sequence() {
  if (host_cache_) {
    host_cache_->start_sequence();
  }
}

std::vector<LinkUse> CopyEngines::uses() const {
  std::vector<LinkUse> all;
  if (tier_.host.exists()) {
    all.push_back(host_);
  }
  if (tier_.ssd.exists()) {
    all.push_back(ssd_);
  }
  return all;
}

}  // namespace switchyard
