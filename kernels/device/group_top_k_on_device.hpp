// Launches the group-limited top-k kernels.
#pragma once

#include "kernels/device/device.hpp"
#include "kernels/routers/group_limited_top_k_launch.hpp"

namespace switchyard {

/// One launch. `arguments` hold device addresses; the plan's part of them is filled in here. The
/// shape must be one that plan_group_top_k() has a kernel for.
void launch_group_top_k(KernelDevice& device, const TopKShape& shape, GroupTopKArguments arguments);

}  // namespace switchyard
