// The group-limited top-k kernels, one for each line of the table in
// group_limited_top_k_launch.hpp, and their launcher.
#include "kernels/device/cuda_check.cuh"
#include "kernels/routers/group_limited_top_k.cuh"

namespace switchyard {

#define SWITCHYARD_KERNEL(tag, Logit, most)                                              \
  extern "C" __global__ void __launch_bounds__(kTopKWarps* kWarpLanes)                   \
      switchyard_group_top_k_##tag##_m##most(const GroupTopKArguments arguments) {       \
    group_top_k_of_block<Logit, most>(arguments, static_cast<std::int32_t>(blockIdx.x)); \
  }
SWITCHYARD_GROUP_TOP_K_KERNELS(SWITCHYARD_KERNEL)
#undef SWITCHYARD_KERNEL

void launch_group_top_k(LogitType type,
                        const GroupTopKPlan& plan,
                        const GroupTopKArguments& arguments) {
  if (plan.blocks == 0) {
    return;
  }
  using Kernel = void (*)(GroupTopKArguments);
  Kernel kernel = nullptr;
#define SWITCHYARD_CASE(tag, Logit, most)                           \
  if (type == kLogitTypeOf<Logit> && plan.most_of_lane == (most)) { \
    kernel = &switchyard_group_top_k_##tag##_m##most;               \
  }
  SWITCHYARD_GROUP_TOP_K_KERNELS(SWITCHYARD_CASE)
#undef SWITCHYARD_CASE
  if (kernel == nullptr) {
    throw InternalError("no group-limited top-k kernel serves this plan");
  }
  kernel<<<static_cast<unsigned>(plan.blocks), kTopKWarps * kWarpLanes>>>(arguments);
  SWITCHYARD_CUDA(cudaGetLastError());
}

}  // namespace switchyard
