// The experts that one GPU keeps: in full and in low precision, each in one pool or in one for
// every layer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/offload/expert_pool.hpp"
#include "sim/offload/replay.hpp"

namespace switchyard {

/// Keys are layer * experts + expert throughout.
class GpuCache {
 public:
  /// `whole` is the shape of all layers together.
  GpuCache(const CachePolicy& policy, const CacheSizes& sizes, const CacheShape& whole);

  [[nodiscard]] bool contains(std::uint32_t key, bool is_high) const;
  /// A resident is computed.
  void use(std::uint32_t key, bool is_high, const CacheMoment& moment);
  /// Gives an expert a place and uses it; false if there is no room among what is not pinned. In
  /// full precision it takes the place of its own low one. `pins` [keys].
  bool insert(std::uint32_t key,
              bool is_high,
              std::int64_t bytes,
              const CacheMoment& moment,
              std::span<const std::uint16_t> pins);
  void start_sequence();
  /// Bytes held.
  [[nodiscard]] std::int64_t used() const;

 private:
  [[nodiscard]] std::size_t pool_of(std::uint32_t key) const {
    return high_.size() == 1 ? 0 : key / experts_;
  }

  [[nodiscard]] std::uint32_t key_in_pool(std::uint32_t key) const {
    return high_.size() == 1 ? key : key % experts_;
  }

  std::uint32_t experts_;         // per layer
  std::vector<ExpertPool> high_;  // [1] or [layers]
  std::vector<ExpertPool> low_;
};

}  // namespace switchyard
