#include "sim/offload/gpu_cache.hpp"

#include "core/numbers/mix_bits.hpp"

namespace switchyard {
namespace {

CacheShape shape_of_layer(const CacheShape& whole, std::size_t layer) {
  CacheShape shape = whole;
  shape.first_layer = layer;
  shape.layers = 1;
  shape.seed = mix_bits(whole.seed, layer);
  if (!whole.next_use.empty()) {
    shape.next_use = whole.next_use.subspan(layer * whole.experts, whole.experts);
  }
  return shape;
}

std::vector<ExpertPool> make_pools(const CachePolicy& policy,
                                   const std::vector<std::int64_t>& sizes,
                                   const CacheShape& whole) {
  std::vector<ExpertPool> pools;
  pools.reserve(sizes.size());
  for (std::size_t pool = 0; pool < sizes.size(); ++pool) {
    pools.emplace_back(
        policy, sizes.size() == 1 ? whole : shape_of_layer(whole, pool), sizes[pool]);
  }
  return pools;
}

}  // namespace

GpuCache::GpuCache(const CachePolicy& policy, const CacheSizes& sizes, const CacheShape& whole)
    : experts_(static_cast<std::uint32_t>(whole.experts)),
      high_(make_pools(policy, sizes.high, whole)),
      low_(make_pools(policy, sizes.low, whole)) {}

bool GpuCache::contains(std::uint32_t key, bool is_high) const {
  return (is_high ? high_ : low_)[pool_of(key)].contains(key_in_pool(key));
}

void GpuCache::use(std::uint32_t key, bool is_high, const CacheMoment& moment) {
  (is_high ? high_ : low_)[pool_of(key)].use(key_in_pool(key), moment);
}

bool GpuCache::insert(std::uint32_t key,
                      bool is_high,
                      std::int64_t bytes,
                      const CacheMoment& moment,
                      std::span<const std::uint16_t> pins) {
  const std::uint32_t own = key_in_pool(key);
  ExpertPool& low = low_[pool_of(key)];
  if (is_high && low.contains(own)) {
    low.erase(own);
  }
  ExpertPool& pool = is_high ? high_[pool_of(key)] : low;
  if (!pool.insert(own, bytes, moment, pins.subspan(key - own))) {
    return false;
  }
  pool.use(own, moment);
  return true;
}

void GpuCache::start_sequence() {
  for (auto* pools : {&high_, &low_}) {
    for (ExpertPool& pool : *pools) {
      pool.start_sequence();
    }
  }
}

std::int64_t GpuCache::used() const {
  std::int64_t bytes = 0;
  for (const auto* pools : {&high_, &low_}) {
    for (const ExpertPool& pool : *pools) {
      bytes += pool.used();
    }
  }
  return bytes;
}

}  // namespace switchyard
