// Least recently used: the expert whose last use is the longest ago leaves. A list through two
// arrays, newest first; every step takes constant time.
#include <vector>

#include "sim/cache_policy.hpp"

namespace switchyard {
namespace {

class LruOrder final : public EvictionOrder {
 public:
  explicit LruOrder(std::size_t keys)
      : end_(static_cast<std::uint32_t>(keys)), newer_(keys + 1, end_), older_(keys + 1, end_) {}

  void insert(std::uint32_t key, const CacheMoment& /*moment*/) override { link_as_newest(key); }

  void use(std::uint32_t key, const CacheMoment& /*moment*/) override {
    unlink(key);
    link_as_newest(key);
  }

  void erase(std::uint32_t key) override { unlink(key); }

  [[nodiscard]] std::optional<std::uint32_t> victim(const CacheMoment& /*moment*/,
                                                    std::span<const std::uint16_t> pins) override {
    for (std::uint32_t key = newer_[end_]; key != end_; key = newer_[key]) {
      if (pins[key] == 0) {
        return key;
      }
    }
    return std::nullopt;
  }

 private:
  // end_ is the list's head and tail: older_[end_] is the newest, newer_[end_] the oldest.
  void link_as_newest(std::uint32_t key) {
    const std::uint32_t second = older_[end_];
    older_[key] = second;
    newer_[key] = end_;
    newer_[second] = key;
    older_[end_] = key;
  }

  void unlink(std::uint32_t key) {
    older_[newer_[key]] = older_[key];
    newer_[older_[key]] = newer_[key];
  }

  std::uint32_t end_;
  std::vector<std::uint32_t> newer_;  // [keys + 1]
  std::vector<std::uint32_t> older_;  // [keys + 1]
};

class Lru final : public CachePolicy {
 public:
  explicit Lru(Parameters& /*parameters*/) {}

  [[nodiscard]] std::unique_ptr<EvictionOrder> start(const CacheShape& shape) const override {
    return std::make_unique<LruOrder>(shape.keys());
  }
};

const Register<CachePolicy, Lru> kLru{"lru", "least recently used leaves"};

}  // namespace
}  // namespace switchyard
