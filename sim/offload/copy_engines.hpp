// The copy engines between SSD, host memory and GPUs: first come, first served, never interrupted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "sim/offload/expert_pool.hpp"
#include "sim/offload/replay.hpp"

namespace switchyard {

class CopyEngines {
 public:
  CopyEngines(const MemoryTier& tier, const CachePolicy& policy, const CacheShape& shape);

  /// When a copy of `bytes` of expert `key` to `gpu`, queued at `now`, would be complete.
  [[nodiscard]] double estimate(std::size_t gpu,
                                std::uint32_t key,
                                std::int64_t bytes,
                                double now) const;
  /// Queues it. `moment` is for the policy of the host memory's cache.
  double copy(std::size_t gpu,
              std::uint32_t key,
              std::int64_t bytes,
              double now,
              bool is_demand,
              const CacheMoment& moment);

  void start_sequence();
  [[nodiscard]] std::vector<LinkUse> uses() const;

 private:
  struct Times {
    double ssd_end = 0;  // 0 = not copied from there
    double end = 0;
  };

  [[nodiscard]] Times times(std::size_t gpu,
                            std::uint32_t key,
                            std::int64_t bytes,
                            double now) const;
  void use_host_copy(std::uint32_t key, std::int64_t bytes, const CacheMoment& moment);

  MemoryTier tier_;
  double ssd_free_ = 0;
  std::vector<double> host_free_;  // [host links]
  std::optional<ExpertPool> host_cache_;
  std::vector<std::uint16_t> no_pins_;  // [keys]
  LinkUse ssd_;
  LinkUse host_;
};

}  // namespace switchyard
