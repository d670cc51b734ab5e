// Experts that share one piece of memory, and the order in which they leave it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sim/cache_policy.hpp"

namespace switchyard {

class ExpertPool {
 public:
  ExpertPool(const CachePolicy& policy, const CacheShape& shape, std::int64_t capacity)
      : order_(policy.start(shape)), bytes_(shape.keys(), 0), capacity_(capacity) {}

  [[nodiscard]] bool contains(std::uint32_t key) const { return bytes_[key] > 0; }

  [[nodiscard]] std::int64_t used() const { return used_; }

  [[nodiscard]] std::int64_t capacity() const { return capacity_; }

  /// Bytes of a resident, 0 of any other.
  [[nodiscard]] std::int64_t bytes_of(std::uint32_t key) const { return bytes_[key]; }

  void use(std::uint32_t key, const CacheMoment& moment) { order_->use(key, moment); }

  void start_sequence() { order_->start_sequence(); }

  void erase(std::uint32_t key) {
    order_->erase(key);
    used_ -= bytes_[key];
    bytes_[key] = 0;
  }

  /// Gives `key` a place of `bytes` > 0, for which others without a pin leave. False, with whatever
  /// had to leave gone, if there is no room even so.
  bool insert(std::uint32_t key,
              std::int64_t bytes,
              const CacheMoment& moment,
              std::span<const std::uint16_t> pins) {
    if (bytes > capacity_) {
      return false;
    }
    while (used_ + bytes > capacity_) {
      const auto victim = order_->victim(moment, pins);
      if (!victim) {
        return false;
      }
      erase(*victim);
    }
    order_->insert(key, moment);
    bytes_[key] = bytes;
    used_ += bytes;
    return true;
  }

 private:
  std::unique_ptr<EvictionOrder> order_;
  std::vector<std::int64_t> bytes_;  // [keys] 0 = not here
  std::int64_t capacity_ = 0;
  std::int64_t used_ = 0;
};

}  // namespace switchyard
