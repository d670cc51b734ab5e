// Least frequently used: the expert with the fewest uses leaves, among equals the one used the
// longest ago.
#include <vector>

#include "sim/cache_policy.hpp"
#include "sim/offload/ranked_residents.hpp"

namespace switchyard {
namespace {

class LfuOrder final : public EvictionOrder {
 public:
  LfuOrder(std::size_t keys, bool forgets)
      : forgets_(forgets), uses_(keys, 0), last_use_(keys, 0), residents_(keys) {}

  void insert(std::uint32_t key, const CacheMoment& /*moment*/) override {
    last_use_[key] = ++clock_;
    residents_.place(key, {uses_[key], last_use_[key]});
  }

  void use(std::uint32_t key, const CacheMoment& /*moment*/) override {
    ++uses_[key];
    last_use_[key] = ++clock_;
    residents_.place(key, {uses_[key], last_use_[key]});
  }

  void erase(std::uint32_t key) override {
    residents_.erase(key);
    if (forgets_) {
      uses_[key] = 0;
    }
  }

  [[nodiscard]] std::optional<std::uint32_t> victim(const CacheMoment& /*moment*/,
                                                    std::span<const std::uint16_t> pins) override {
    const auto* lowest = residents_.lowest(pins);
    return lowest != nullptr ? std::optional(lowest->key) : std::nullopt;
  }

 private:
  bool forgets_;
  std::int64_t clock_ = 0;
  std::vector<std::int64_t> uses_;                                    // [keys]
  std::vector<std::int64_t> last_use_;                                // [keys]
  RankedResidents<std::pair<std::int64_t, std::int64_t>> residents_;  // uses, last use
};

class Lfu final : public CachePolicy {
 public:
  explicit Lfu(Parameters& parameters)
      : forgets_(parameters.get_flag(
            "forgets", false, "an expert that leaves the cache starts from 0 uses again")) {}

  [[nodiscard]] std::unique_ptr<EvictionOrder> start(const CacheShape& shape) const override {
    return std::make_unique<LfuOrder>(shape.keys(), forgets_);
  }

 private:
  bool forgets_;
};

const Register<CachePolicy, Lfu> kLfu{"lfu", "least frequently used leaves"};

}  // namespace
}  // namespace switchyard
