// HOBBIT's multidimensional policy (arXiv 2411.01433, section 3.4): the resident of least
//   w1 R/T + w2 F/T + w3 H/T + w4 (1 - distance/L)
// leaves; R its last token, F its uses and H its uses in high precision in this sequence, T the
// token's index. The paper prints distance = (current layer - its layer) mod L, which favours the
// layers just passed; "ahead" favours those about to come. Equals leave in order of last use, so
// that weights (1, 0, 0, 0) are exactly LRU.
#include <array>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "sim/cache_policy.hpp"

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 2> kDistances{"printed", "ahead"};

struct HobbitWeights {
  double recency = 0;
  double frequency = 0;
  double high_precision = 0;
  double layer = 0;
  bool looks_ahead = false;
};

class HobbitOrder final : public EvictionOrder {
 public:
  HobbitOrder(const CacheShape& shape, const HobbitWeights& weights)
      : shape_(shape), weights_(weights), place_(shape.keys(), 0), facts_(shape.keys()) {}

  void insert(std::uint32_t key, const CacheMoment& moment) override {
    place_[key] = residents_.size();
    residents_.push_back(key);
    facts_[key].last_token = static_cast<double>(moment.token);
    facts_[key].last_use = ++clock_;
  }

  void use(std::uint32_t key, const CacheMoment& moment) override {
    Facts& facts = facts_[key];
    facts.last_token = static_cast<double>(moment.token);
    facts.last_use = ++clock_;
    facts.uses += 1;
    facts.high_uses += moment.is_high ? 1 : 0;
  }

  void erase(std::uint32_t key) override {
    residents_[place_[key]] = residents_.back();
    place_[residents_.back()] = place_[key];
    residents_.pop_back();
  }

  // All residents are looked at: their order changes with every token and layer.
  [[nodiscard]] std::optional<std::uint32_t> victim(const CacheMoment& moment,
                                                    std::span<const std::uint16_t> pins) override {
    std::optional<std::uint32_t> worst;
    double least = 0;
    for (const std::uint32_t key : residents_) {
      if (pins[key] != 0) {
        continue;
      }
      const double priority = priority_of(key, moment);
      if (!worst || priority < least ||
          (priority == least && facts_[key].last_use < facts_[*worst].last_use)) {
        worst = key;
        least = priority;
      }
    }
    return worst;
  }

  void start_sequence() override {
    for (Facts& facts : facts_) {
      facts = {.last_use = facts.last_use};
    }
  }

 private:
  struct Facts {
    double last_token = 0;
    double uses = 0;
    double high_uses = 0;
    std::int64_t last_use = 0;
  };

  [[nodiscard]] double priority_of(std::uint32_t key, const CacheMoment& moment) const {
    const Facts& facts = facts_[key];
    const double counted = weights_.recency * facts.last_token + weights_.frequency * facts.uses +
                           weights_.high_precision * facts.high_uses;
    double priority = counted / static_cast<double>(moment.token);
    if (weights_.layer > 0) {
      const auto layers = static_cast<std::int64_t>(shape_.model_layers);
      const auto own = static_cast<std::int64_t>(shape_.first_layer + key / shape_.experts);
      const std::int64_t distance = weights_.looks_ahead ? own - moment.layer : moment.layer - own;
      priority += weights_.layer * (1 - static_cast<double>((distance + layers) % layers) /
                                            static_cast<double>(layers));
    }
    return priority;
  }

  CacheShape shape_;
  HobbitWeights weights_;
  std::int64_t clock_ = 0;
  std::vector<std::uint32_t> residents_;
  std::vector<std::size_t> place_;  // [keys] index into residents_
  std::vector<Facts> facts_;        // [keys]
};

class Hobbit final : public CachePolicy {
 public:
  explicit Hobbit(Parameters& parameters) {
    constexpr Bounds<double> kShare{0, 1};
    weights_.recency = parameters.get_number("recency", 0.25, kShare, "w1, of the last token");
    weights_.frequency = parameters.get_number("frequency", 0.25, kShare, "w2, of the uses");
    weights_.high_precision =
        parameters.get_number("high_precision", 0.25, kShare, "w3, of uses in high precision");
    weights_.layer = parameters.get_number("layer", 0.25, kShare, "w4, of the layer's distance");
    weights_.looks_ahead =
        parameters.get_choice("distance",
                              "printed",
                              kDistances,
                              "printed: layers passed since, as in the paper; ahead: layers to "
                              "come until the expert's") == "ahead";
    const double total =
        weights_.recency + weights_.frequency + weights_.high_precision + weights_.layer;
    constexpr double kRounding = 1e-9;
    if (std::abs(total - 1) > kRounding) {
      throw InvalidInput(
          fmt::format("the four weights {:g} + {:g} + {:g} + {:g} add up to {:g}, not to 1",
                      weights_.recency,
                      weights_.frequency,
                      weights_.high_precision,
                      weights_.layer,
                      total),
          parameters.where(),
          "set recency, frequency, high_precision and layer together");
    }
  }

  [[nodiscard]] std::unique_ptr<EvictionOrder> start(const CacheShape& shape) const override {
    return std::make_unique<HobbitOrder>(shape, weights_);
  }

 private:
  HobbitWeights weights_;
};

const Register<CachePolicy, Hobbit> kHobbit{
    "hobbit", "weighs last use, uses, uses in high precision and layer (HOBBIT)"};

}  // namespace
}  // namespace switchyard
