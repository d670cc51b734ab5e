// A resident drawn at random leaves: what a policy has to beat.
#include <vector>

#include "core/numbers/mix_bits.hpp"
#include "sim/cache_policy.hpp"

namespace switchyard {
namespace {

class RandomOrder final : public EvictionOrder {
 public:
  RandomOrder(std::size_t keys, std::uint64_t seed) : seed_(seed), place_(keys, 0) {}

  void insert(std::uint32_t key, const CacheMoment& /*moment*/) override {
    place_[key] = residents_.size();
    residents_.push_back(key);
  }

  void use(std::uint32_t /*key*/, const CacheMoment& /*moment*/) override {}

  void erase(std::uint32_t key) override {
    residents_[place_[key]] = residents_.back();
    place_[residents_.back()] = place_[key];
    residents_.pop_back();
  }

  [[nodiscard]] std::optional<std::uint32_t> victim(const CacheMoment& /*moment*/,
                                                    std::span<const std::uint16_t> pins) override {
    const std::size_t count = residents_.size();
    const std::size_t first = count == 0 ? 0 : mix_bits(seed_, ++draws_) % count;
    for (std::size_t step = 0; step < count; ++step) {  // past pinned ones to the next
      const std::uint32_t key = residents_[(first + step) % count];
      if (pins[key] == 0) {
        return key;
      }
    }
    return std::nullopt;
  }

 private:
  std::uint64_t seed_;
  std::uint64_t draws_ = 0;
  std::vector<std::uint32_t> residents_;
  std::vector<std::size_t> place_;  // [keys] index into residents_
};

class Random final : public CachePolicy {
 public:
  explicit Random(Parameters& /*parameters*/) {}

  [[nodiscard]] std::unique_ptr<EvictionOrder> start(const CacheShape& shape) const override {
    return std::make_unique<RandomOrder>(shape.keys(), shape.seed);
  }
};

const Register<CachePolicy, Random> kRandom{"random", "any resident leaves, drawn from the seed"};

}  // namespace
}  // namespace switchyard
