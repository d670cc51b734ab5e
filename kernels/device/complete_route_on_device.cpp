#include "kernels/device/complete_route_on_device.hpp"

#include <fmt/core.h>

#include "kernels/device/complete_route.hpp"
#include "kernels/device/device_array.hpp"
#include "kernels/device/dispatch_layout_on_device.hpp"
#include "kernels/device/token_count.hpp"

namespace switchyard {
namespace {

bool takes_one_launch(const TopKShape& shape, LaunchPlan plan) {
  const bool has_kernel = shape.experts <= kOneLaunchMostExperts && shape.slots <= 8;
  return has_kernel && plan != LaunchPlan::ThreeLaunches &&
         (plan == LaunchPlan::OneLaunch || shape.tokens <= kOneLaunchMostTokens);
}

void launch_complete_route(KernelDevice& device,
                           const TopKShape& shape,
                           CompleteRouteArguments arguments) {
  // Whole steps of a warp: four tokens at once of a model with up to 64 experts.
  const std::int32_t step = shape.experts <= 64 ? 4 : 1;
  const std::int32_t tokens_of_warp = (shape.tokens + kOneLaunchWarps - 1) / kOneLaunchWarps;
  arguments.choice.tokens_per_warp = (tokens_of_warp + step - 1) / step * step;
  arguments.choice.tokens = shape.tokens;
  arguments.choice.experts = shape.experts;
  arguments.choice.slots = shape.slots;
  arguments.choice.has_vector_rows = has_vector_rows(arguments.choice.logits, shape);
  arguments.layout.expert_ids = arguments.choice.expert_ids;
  device.launch(fmt::format("switchyard_complete_route_{}_e{}_k8",
                            tag_of(shape.logit_type),
                            shape.experts <= 64 ? 64 : 256),
                1,
                kOneLaunchThreads,
                arguments);
}

}  // namespace

CompleteRoute complete_route_on_device(MatrixView<const float> logits,
                                       const TopKRequest& choice,
                                       LayoutRequest layout,
                                       LaunchPlan plan) {
  KernelDevice& device = current_device();
  CompleteRoute route{.decision = RoutingDecision::empty(logits.rows(), choice.slots),
                      .layout = {}};
  layout.expert_ids = std::as_const(route.decision.expert_ids).view();
  check_layout_request(layout);
  if (logits.rows() == 0) {
    route.layout = dispatch_layout(layout);
    return route;
  }
  const TopKShape shape{.logit_type = LogitType::Float32,
                        .tokens = device_token_count(logits.rows()),
                        .experts = static_cast<std::int32_t>(logits.columns()),
                        .slots = static_cast<std::int32_t>(choice.slots)};
  const bool is_one = takes_one_launch(shape, plan);
  const DeviceArray<float> rows(device, logits.values());
  const DeviceArray<std::int32_t> ids(device, route.decision.expert_ids.values().size());
  const DeviceArray<float> weights(device, route.decision.weights.values().size());
  DeviceLayout on_device(device, layout, is_one ? shape.tokens : 0);
  const TopKArguments arguments{.logits = rows.address(),
                                .expert_ids = ids.address(),
                                .gate_weights = weights.address(),
                                .scale = choice.scale,
                                .is_renormalised = choice.is_renormalised};
  if (is_one) {
    launch_complete_route(device, shape, {arguments, on_device.arguments()});
  } else {
    launch_top_k(device, shape, arguments);
    on_device.launch(ids.address());
  }
  ids.download(route.decision.expert_ids.values());
  weights.download(route.decision.weights.values());
  route.layout = on_device.download();
  return route;
}

}  // namespace switchyard
