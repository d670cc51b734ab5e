// A pair whose expert is full goes to the token's next-best expert with room, by router logits;
// it is dropped only when no other expert has room.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/capacity.hpp"
#include "sim/capacity_slots.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

// Experts of one token from best to worst logit; ties to the lower index, NaN last.
std::vector<std::int32_t> ranking(std::span<const float> logits) {
  std::vector<std::int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    const float x = logits[static_cast<std::size_t>(a)];
    const float y = logits[static_cast<std::size_t>(b)];
    return x > y || (std::isnan(y) && !std::isnan(x));
  });
  return order;
}

bool move_to_next(LayerTokens& tokens, const Pair& pair, std::vector<std::int64_t>& room) {
  const std::span<std::int32_t> choices = tokens.expert_ids.row(pair.row);
  for (const std::int32_t expert : ranking(tokens.logits.row(pair.row))) {
    const bool is_chosen = std::find(choices.begin(), choices.end(), expert) != choices.end();
    std::int64_t& left = room[static_cast<std::size_t>(expert)];
    if (!is_chosen && left > 0) {
      --left;
      choices[pair.choice] = expert;
      return true;
    }
  }
  choices[pair.choice] = kNoExpert;
  return false;
}

class Reroute final : public CapacityPolicy {
 public:
  explicit Reroute(Parameters& parameters) : limit_(parameters, /*may_share=*/true) {}

  [[nodiscard]] bool needs_weights() const override {
    return limit_.queue().order() == SlotQueue::Order::Weight;
  }

  [[nodiscard]] bool needs_logits() const override { return true; }

  [[nodiscard]] CapacityOutcome apply(LayerTokens& tokens) const override {
    CapacityOutcome outcome;
    limit_.queue().for_each_group(tokens, [&](const TokenGroup& group) {
      serve_group(tokens, group.pairs, limit_.slots(tokens, group.tokens), outcome);
    });
    return outcome;
  }

 private:
  // First every first wish, then the refused: a re-routed pair never displaces a chosen one.
  static void serve_group(LayerTokens& tokens,
                          const std::vector<Pair>& pairs,
                          std::int64_t slots,
                          CapacityOutcome& outcome) {
    std::vector<std::int64_t> room(tokens.experts, slots);
    std::vector<Pair> refused;
    outcome.pairs += static_cast<std::int64_t>(pairs.size());
    for (const Pair& pair : pairs) {
      const auto expert = static_cast<std::size_t>(tokens.expert_ids(pair.row, pair.choice));
      if (room[expert] > 0) {
        --room[expert];
        ++outcome.kept;
      } else {
        refused.push_back(pair);
      }
    }
    for (const Pair& pair : refused) {
      const bool found = move_to_next(tokens, pair, room);
      outcome.kept += found ? 1 : 0;
      outcome.rerouted += found ? 1 : 0;
      outcome.dropped += found ? 0 : 1;
    }
  }

  CapacityLimit limit_;
};

const Register<CapacityPolicy, Reroute> kReroute{
    "reroute", "send what exceeds capacity to the next-best expert with room (needs logits)"};

}  // namespace
}  // namespace switchyard
