#include "kernels/device/moe_plus_plus_on_device.hpp"

#include <vector>

#include "kernels/device/dispatch_layout_on_device.hpp"
#include "kernels/device/token_count.hpp"
#include "kernels/hidden/device_steps.hpp"
#include "kernels/routers/moe_plus_plus_launch.hpp"

namespace switchyard {
namespace {

void launch_choice(KernelDevice& device, const PlusPlusArguments& arguments) {
  const bool is_small = arguments.slots <= 8;
  const std::int32_t of_warp = is_small && arguments.experts <= 64 ? 4 : 1;
  device.launch(of_warp == 4                           ? "switchyard_plus_plus_e64_k8"
                : is_small && arguments.experts <= 256 ? "switchyard_plus_plus_e256_k8"
                                                       : "switchyard_plus_plus_e1024_k32",
                blocks_of(arguments.tokens, of_warp * kPlusPlusWarps),
                kPlusPlusWarps * 32,
                arguments);
}

void drop_late_choices(DeviceArena& arena,
                       const PlusPlusArguments& chosen,
                       const PlusPlusRequest& request) {
  const std::vector<std::int32_t> ranks(request.logits.columns());  // only the order is used
  DeviceLayout layout(arena.device(),
                      {.expert_ids = {nullptr, request.logits.rows(), request.slots},
                       .expert_to_rank = ranks,
                       .ranks = 1});
  layout.launch(chosen.expert_ids);
  DropArguments arguments;
  arguments.positions = layout.arguments().positions;
  arguments.expert_ids = chosen.expert_ids;
  arguments.gate_weights = chosen.gate_weights;
  arguments.choices = chosen.tokens * chosen.slots;
  arguments.ordinary_experts = chosen.experts - static_cast<std::int32_t>(request.free_experts);
  arguments.ordinary_room = request.ordinary_room;
  arguments.free_room = request.free_room;
  arena.device().launch("switchyard_drop_beyond_room",
                        blocks_of(arguments.choices, kDropThreads),
                        kDropThreads,
                        arguments);
}

}  // namespace

RoutingDecision route_plus_plus_on_device(const PlusPlusRequest& request) {
  const std::size_t tokens = request.logits.rows();
  const std::size_t experts = request.logits.columns();
  check_device_table(tokens, experts);
  DeviceArena arena(current_device());
  PlusPlusArguments arguments;
  arguments.logits = arena.upload(request.logits.values());
  arguments.before = request.before == nullptr ? nullptr : arena.upload(request.before->values());
  arguments.carried = arena.reserve<float>(tokens * experts);
  arguments.expert_ids = arena.reserve<std::int32_t>(tokens * request.slots);
  arguments.gate_weights = arena.reserve<float>(tokens * request.slots);
  arguments.tokens = device_token_count(tokens);
  arguments.experts = static_cast<std::int32_t>(experts);
  arguments.slots = static_cast<std::int32_t>(request.slots);
  arguments.first_zero = arguments.experts - static_cast<std::int32_t>(request.zero_experts);
  arguments.residual = request.residual;
  arguments.has_vector_rows = experts % 4 == 0;
  launch_choice(arena.device(), arguments);
  if (request.has_room && tokens > 0) {
    drop_late_choices(arena, arguments, request);
  }
  RoutingDecision decision = download_choices(
      arena, {arguments.expert_ids, arguments.gate_weights}, tokens, request.slots);
  decision.carried = Matrix<float>(tokens, experts);
  arena.download(arguments.carried, decision.carried.values());
  return decision;
}

}  // namespace switchyard
