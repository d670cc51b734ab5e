// Softmax top-k of a table of logits on a device.
#pragma once

#include <cstdint>

#include "core/matrix.hpp"
#include "kernels/device/device.hpp"
#include "kernels/device/executor_choice.hpp"
#include "kernels/router.hpp"
#include "kernels/routers/top_k_launch.hpp"

namespace switchyard {

inline constexpr KernelRoom kTopKRoom{.experts = kTopKMaxExperts, .slots = kTopKMaxSlots};

struct TopKRequest {
  std::size_t slots = 0;        ///< the k of top-k
  bool is_renormalised = true;  ///< softmax over the chosen experts, else over all
  float scale = 1.0F;
};

/// One launch. `arguments` hold device addresses; the plan's part of them is filled in here.
void launch_top_k(KernelDevice& device, const TopKShape& shape, TopKArguments arguments);

/// The bits of the CPU router, from the current device: copies in, one launch, copies out. `logits`
/// is [tokens, experts], within kTopKRoom. Throws MissingCapability without a usable GPU or without
/// enough GPU memory.
RoutingDecision top_k_on_device(MatrixView<const float> logits, const TopKRequest& request);

}  // namespace switchyard
