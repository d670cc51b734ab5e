#include "kernels/hidden/device_steps.hpp"

#include <algorithm>

namespace switchyard {

void check_device_table(std::size_t rows, std::size_t columns) {
  constexpr std::size_t kMost = std::size_t{1} << 30;
  if (rows > kMost / std::max<std::size_t>(columns, 1)) {
    throw MissingCapability("a table of more than 2^30 entries",
                            {},
                            "route in smaller chunks, or choose the CPU executor");
  }
}

DeviceChoices choose_best(DeviceArena& arena,
                          const DeviceScores& scores,
                          std::size_t slots,
                          bool is_renormalised) {
  const std::size_t choices = static_cast<std::size_t>(scores.tokens) * slots;
  const DeviceChoices chosen{arena.reserve<std::int32_t>(choices), arena.reserve<float>(choices)};
  launch_top_k(arena.device(),
               {.logit_type = LogitType::Float32,
                .tokens = scores.tokens,
                .experts = scores.experts,
                .slots = static_cast<std::int32_t>(slots)},
               {.logits = scores.scores,
                .expert_ids = chosen.expert_ids,
                .gate_weights = chosen.weights,
                .is_renormalised = is_renormalised});
  return chosen;
}

RoutingDecision download_choices(DeviceArena& arena,
                                 const DeviceChoices& choices,
                                 std::size_t tokens,
                                 std::size_t slots) {
  RoutingDecision decision = RoutingDecision::empty(tokens, slots);
  arena.download(choices.expert_ids, decision.expert_ids.values());
  arena.download(choices.weights, decision.weights.values());
  return decision;
}

}  // namespace switchyard
