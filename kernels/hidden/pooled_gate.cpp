#include "kernels/hidden/pooled_gate.hpp"

#include <optional>
#include <vector>

#include "kernels/device/dispatch_layout_on_device.hpp"
#include "kernels/device/token_count.hpp"
#include "kernels/hidden/device_steps.hpp"
#include "kernels/hidden/grouped_pooling_launch.hpp"
#include "kernels/stages/grouped_pooling.hpp"

namespace switchyard {
namespace {

/// Uploads what pooling reads and reserves what it always writes.
PoolingArguments prepare_pooling(DeviceArena& arena,
                                 MatrixView<const float> hidden,
                                 std::span<const float> bias) {
  const std::size_t cells = hidden.rows() * bias.size();
  check_device_table(hidden.rows(), bias.size());
  PoolingArguments arguments;
  arguments.tokens = device_token_count(hidden.rows());
  arguments.experts = static_cast<std::int32_t>(bias.size());
  arguments.width = static_cast<std::int32_t>(hidden.columns());
  arguments.hidden = arena.upload(hidden.values());
  const std::vector<std::int32_t> starts = block_starts(bias.size(), hidden.columns());
  arguments.starts = arena.upload(std::span<const std::int32_t>(starts));
  arguments.bias = arena.upload(bias);
  arguments.affinity = arena.reserve<float>(cells);
  arguments.scores = arena.reserve<float>(cells);
  return arguments;
}

void launch_pooling(DeviceArena& arena, const PoolingArguments& arguments) {
  arena.device().launch(
      "switchyard_pool", blocks_of(arguments.tokens, kPoolWarps), kPoolWarps * 32, arguments);
}

DeviceScores scores_of(const PoolingArguments& arguments, const float* scores) {
  return {scores, arguments.tokens, arguments.experts};
}

/// Leaves the scores of the pairs that experts keep in `pooled.kept`.
void let_experts_choose(DeviceArena& arena,
                        const PoolingArguments& pooled,
                        const ResonanceRequest& request) {
  const std::size_t tokens = request.hidden.rows();
  const std::size_t experts = request.bias.size();
  ResonanceArguments arguments;
  arguments.affinity = pooled.affinity;
  arguments.scores = pooled.scores;
  arguments.highest = pooled.highest;
  arguments.kept = pooled.kept;
  arguments.least = arena.reserve<std::int32_t>(1);
  arguments.slots = static_cast<std::int32_t>(request.slots);
  arguments.experts = pooled.experts;
  arguments.rule = request.rule;
  const std::vector<std::int32_t> ranks(experts);  // the layout is used for its order only
  std::optional<DeviceLayout> nominations;
  const bool are_nominated = request.mode == ResonanceMode::Hybrid;
  if (are_nominated) {
    const DeviceChoices choices =
        choose_best(arena, scores_of(pooled, pooled.scores), request.slots, true);
    nominations.emplace(
        arena.device(),
        LayoutRequest{
            .expert_ids = {nullptr, tokens, request.slots}, .expert_to_rank = ranks, .ranks = 1});
    nominations->launch(choices.expert_ids);
    arguments.offsets = nominations->arguments().offsets;
    arguments.sources = nominations->arguments().sources;
  }
  arguments.keys = arena.reserve<std::uint32_t>(tokens * (are_nominated ? request.slots : experts));
  if (request.rule.kind != ResonanceCapacity::Factor) {
    arena.device().launch("switchyard_resonance_bound", 1, kResonanceThreads, arguments);
  }
  arena.device().launch(
      "switchyard_resonance_choose", pooled.experts, kResonanceThreads, arguments);
}

}  // namespace

RoutingDecision route_means_on_device(MatrixView<const float> hidden, std::span<const float> bias) {
  DeviceArena arena(current_device());
  PoolingArguments arguments = prepare_pooling(arena, hidden, bias);
  arguments.is_affinity = false;
  launch_pooling(arena, arguments);
  const DeviceChoices choices =
      choose_best(arena, scores_of(arguments, arguments.scores), 1, false);
  return download_choices(arena, choices, hidden.rows(), 1);
}

RoutingDecision route_resonance_on_device(const ResonanceRequest& request) {
  const std::size_t tokens = request.hidden.rows();
  DeviceArena arena(current_device());
  PoolingArguments arguments = prepare_pooling(arena, request.hidden, request.bias);
  if (tokens == 0) {
    return RoutingDecision::empty(0, request.slots);
  }
  const float* scores = arguments.scores;
  if (request.mode != ResonanceMode::Token) {
    arguments.kept = arena.reserve<float>(tokens * request.bias.size());
    arguments.highest = arena.reserve<float>(tokens);
    scores = arguments.kept;
  }
  launch_pooling(arena, arguments);
  if (request.mode != ResonanceMode::Token) {
    let_experts_choose(arena, arguments, request);
  }
  const DeviceChoices choices =
      choose_best(arena, scores_of(arguments, scores), request.slots, true);
  return download_choices(arena, choices, tokens, request.slots);
}

}  // namespace switchyard
