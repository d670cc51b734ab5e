// HOBBIT's multidimensional policy (arXiv 2411.01433): the resident of least
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
#include "sim/offload/ranked_residents.hpp"

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

// Within a layer the order depends on R, F and H alone, so that only one candidate a layer has to
// be compared when a place is wanted.
class HobbitOrder final : public EvictionOrder {
 public:
  HobbitOrder(const CacheShape& shape, const HobbitWeights& weights)
      : shape_(shape),
        weights_(weights),
        layers_(shape.layers, Residents(shape.experts)),
        facts_(shape.keys()) {}

  void insert(std::uint32_t key, const CacheMoment& moment) override {
    facts_[key].last_token = static_cast<double>(moment.token);
    facts_[key].last_use = ++clock_;
    rank(key);
  }

  void use(std::uint32_t key, const CacheMoment& moment) override {
    Facts& facts = facts_[key];
    facts.last_token = static_cast<double>(moment.token);
    facts.last_use = ++clock_;
    facts.uses += 1;
    facts.high_uses += moment.is_high ? 1 : 0;
    rank(key);
  }

  void erase(std::uint32_t key) override { layer_of(key).erase(expert_of(key)); }

  [[nodiscard]] std::optional<std::uint32_t> victim(const CacheMoment& moment,
                                                    std::span<const std::uint16_t> pins) override {
    std::optional<std::uint32_t> worst;
    std::pair<double, std::int64_t> least;
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
      const std::size_t first = layer * shape_.experts;
      const auto* lowest = layers_[layer].lowest(pins.subspan(first, shape_.experts));
      if (lowest == nullptr) {
        continue;
      }
      const auto& [counted, last_use] = lowest->rank;
      const std::pair priority{
          counted / static_cast<double>(moment.token) + layer_term(layer, moment), last_use};
      if (!worst || priority < least) {
        worst = static_cast<std::uint32_t>(first + lowest->key);
        least = priority;
      }
    }
    return worst;
  }

  void start_sequence() override {
    for (std::uint32_t key = 0; key < facts_.size(); ++key) {
      facts_[key] = {.last_use = facts_[key].last_use};
      if (layer_of(key).contains(expert_of(key))) {
        rank(key);
      }
    }
  }

 private:
  struct Facts {
    double last_token = 0;
    double uses = 0;
    double high_uses = 0;
    std::int64_t last_use = 0;
  };

  using Residents = RankedResidents<std::pair<double, std::int64_t>>;  // counted, last use

  [[nodiscard]] Residents& layer_of(std::uint32_t key) { return layers_[key / shape_.experts]; }

  [[nodiscard]] std::uint32_t expert_of(std::uint32_t key) const {
    return key % static_cast<std::uint32_t>(shape_.experts);
  }

  void rank(std::uint32_t key) {
    const Facts& facts = facts_[key];
    const double counted = weights_.recency * facts.last_token + weights_.frequency * facts.uses +
                           weights_.high_precision * facts.high_uses;
    layer_of(key).place(expert_of(key), {counted, facts.last_use});
  }

  [[nodiscard]] double layer_term(std::size_t layer, const CacheMoment& moment) const {
    const auto layers = static_cast<std::int64_t>(shape_.model_layers);
    const auto own = static_cast<std::int64_t>(shape_.first_layer + layer);
    const std::int64_t distance = weights_.looks_ahead ? own - moment.layer : moment.layer - own;
    return weights_.layer *
           (1 - static_cast<double>((distance + layers) % layers) / static_cast<double>(layers));
  }

  CacheShape shape_;
  HobbitWeights weights_;
  std::int64_t clock_ = 0;
  std::vector<Residents> layers_;  // [layers] of this cache
  std::vector<Facts> facts_;       // [keys]
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
