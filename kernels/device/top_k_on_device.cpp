#include "kernels/device/top_k_on_device.hpp"

#include <fmt/core.h>

#include "kernels/device/device_array.hpp"
#include "kernels/device/token_count.hpp"

namespace switchyard {

std::string top_k_kernel(LogitType type, const TopKPlan& plan) {
  return fmt::format("switchyard_top_k_{}_e{}_k{}", tag_of(type), plan.expert_tier, plan.slot_tier);
}

void launch_top_k(KernelDevice& device, const TopKShape& shape, TopKArguments arguments) {
  const TopKPlan plan = plan_top_k(shape, device.multiprocessors());
  arguments.tokens = shape.tokens;
  arguments.experts = shape.experts;
  arguments.slots = shape.slots;
  arguments.tokens_per_warp = plan.tokens_per_warp;
  arguments.has_vector_rows = has_vector_rows(arguments.logits, shape);
  device.launch(
      top_k_kernel(shape.logit_type, plan), plan.blocks, kTopKWarps * kLanesOfWarp, arguments);
}

RoutingDecision top_k_on_device(MatrixView<const float> logits, const TopKRequest& request) {
  KernelDevice& device = current_device();
  RoutingDecision decision = RoutingDecision::empty(logits.rows(), request.slots);
  const DeviceArray<float> rows(device, logits.values());
  const DeviceArray<std::int32_t> ids(device, decision.expert_ids.values().size());
  const DeviceArray<float> weights(device, decision.weights.values().size());
  launch_top_k(device,
               {.logit_type = LogitType::Float32,
                .tokens = device_token_count(logits.rows()),
                .experts = static_cast<std::int32_t>(logits.columns()),
                .slots = static_cast<std::int32_t>(request.slots)},
               {.logits = rows.address(),
                .expert_ids = ids.address(),
                .gate_weights = weights.address(),
                .scale = request.scale,
                .is_renormalised = request.is_renormalised});
  ids.download(decision.expert_ids.values());
  weights.download(decision.weights.values());
  return decision;
}

}  // namespace switchyard
