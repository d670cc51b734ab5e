// A complete routing on a device: experts, weights, load, capacity positions and dispatch layout.
#pragma once

#include "kernels/device/top_k_on_device.hpp"
#include "kernels/stages/dispatch_layout.hpp"

namespace switchyard {

struct CompleteRoute {
  RoutingDecision decision;
  DispatchLayout layout;
};

enum class LaunchPlan : std::uint8_t { BySize, OneLaunch, ThreeLaunches };

/// Softmax top-k of `logits` [tokens, experts] and the layout of its choices. Of `layout`
/// everything but the ids is read. The plan changes no result; OneLaunch is taken only where a
/// kernel for it exists (256 experts, 8 choices). Throws as top_k_on_device() and
/// dispatch_layout_on_device() do.
CompleteRoute complete_route_on_device(MatrixView<const float> logits,
                                       const TopKRequest& choice,
                                       LayoutRequest layout,
                                       LaunchPlan plan = LaunchPlan::BySize);

}  // namespace switchyard
