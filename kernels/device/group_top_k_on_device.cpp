#include "kernels/device/group_top_k_on_device.hpp"

#include <fmt/core.h>

namespace switchyard {

std::string group_top_k_kernel(LogitType type, const GroupTopKPlan& plan) {
  return fmt::format("switchyard_group_top_k_{}_m{}", tag_of(type), plan.most_of_lane);
}

void launch_group_top_k(KernelDevice& device,
                        const TopKShape& shape,
                        GroupTopKArguments arguments) {
  const GroupTopKPlan plan = plan_group_top_k(shape, arguments.groups, device.multiprocessors());
  arguments.tokens = shape.tokens;
  arguments.experts = shape.experts;
  arguments.slots = shape.slots;
  arguments.tokens_per_warp = plan.tokens_per_warp;
  arguments.has_vector_rows = plan.has_whole_pieces && has_vector_rows(arguments.logits, shape);
  device.launch(group_top_k_kernel(shape.logit_type, plan),
                plan.blocks,
                kTopKWarps * kLanesOfWarp,
                arguments);
}

}  // namespace switchyard
