// The adaptive capacity of Expert-Token Resonance (arXiv 2406.00023, section 3.2), which the paper
// describes but does not spell out: an expert takes its candidates in falling gate weight until
// they carry `share` of the weight of all of them, at least `minimum` and at most what `factor`
// allows. Where weight is concentrated, capacity shrinks by itself.
#include <algorithm>

#include "sim/capacity.hpp"
#include "sim/capacity_slots.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

class AdaptivePrefix final : public CapacityPolicy {
 public:
  explicit AdaptivePrefix(Parameters& parameters)
      : share_(parameters.get_number(
            "share", 0.9, {0, 1}, "of an expert's gate weight that the kept tokens must carry")),
        factor_(
            parameters.get_number("factor",
                                  2,
                                  {1e-6, 1e6},
                                  "most slots per expert = ceil(factor * k * tokens / experts)")),
        minimum_(parameters.get_integer("minimum", 1, {1, 1 << 30}, "fewest slots per expert")) {}

  [[nodiscard]] bool needs_weights() const override { return true; }

  [[nodiscard]] CapacityOutcome apply(LayerTokens& tokens) const override {
    CapacityOutcome outcome;
    SlotQueue(SlotQueue::Order::Weight).for_each_group(tokens, [&](const TokenGroup& group) {
      keep_while_room(group, slots_of(tokens, group), tokens, outcome);
    });
    return outcome;
  }

 private:
  // [experts] length of each expert's shortest prefix that carries the share.
  [[nodiscard]] std::vector<std::int64_t> slots_of(const LayerTokens& tokens,
                                                   const TokenGroup& group) const {
    std::vector<double> wanted(tokens.experts, 0);
    const auto expert_of = [&](const Pair& pair) {
      return static_cast<std::size_t>(tokens.expert_ids(pair.row, pair.choice));
    };
    for (const Pair& pair : group.pairs) {
      wanted[expert_of(pair)] += static_cast<double>(tokens.gate_weights(pair.row, pair.choice));
    }
    // Against sums in another order that end a hair short.
    for (double& weight : wanted) {
      weight *= share_ * (1 - 1e-9);
    }
    std::vector<std::int64_t> slots(tokens.experts, 0);
    std::vector<double> carried(tokens.experts, 0);
    for (const Pair& pair : group.pairs) {  // heaviest first
      const std::size_t expert = expert_of(pair);
      if (carried[expert] < wanted[expert]) {
        carried[expert] += static_cast<double>(tokens.gate_weights(pair.row, pair.choice));
        ++slots[expert];
      }
    }
    const std::int64_t most = capacity_slots(
        factor_, tokens.expert_ids.columns(), group.tokens, tokens.experts, minimum_);
    for (std::int64_t& count : slots) {
      count = std::clamp(count, minimum_, most);
    }
    return slots;
  }

  double share_;
  double factor_;
  std::int64_t minimum_;
};

const Register<CapacityPolicy, AdaptivePrefix> kAdaptivePrefix{
    "adaptive_prefix", "as many tokens per expert as carry a share of its gate weight (ETR)"};

}  // namespace
}  // namespace switchyard
