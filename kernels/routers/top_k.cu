// The softmax top-k kernels of kernels/routers/top_k.cuh, one for each line of the table in
// top_k_launch.hpp, and their launcher. The names are plain C, so that profilers, the PTX machine
// and the register gate can call them by name.
#include "kernels/device/cuda_check.cuh"
#include "kernels/routers/top_k.cuh"

namespace switchyard {

#define SWITCHYARD_KERNEL(tag, Logit, experts, slots)                                        \
  extern "C" __global__ void __launch_bounds__(kTopKWarps* kWarpLanes)                       \
      switchyard_top_k_##tag##_e##experts##_k##slots(const TopKArguments arguments) {        \
    top_k_of_block<Logit, experts, slots>(arguments, static_cast<std::int32_t>(blockIdx.x)); \
  }
SWITCHYARD_TOP_K_KERNELS(SWITCHYARD_KERNEL)
#undef SWITCHYARD_KERNEL

namespace {

using TopKKernel = void (*)(TopKArguments);

TopKKernel find_kernel(LogitType type, const TopKPlan& plan) {
#define SWITCHYARD_CASE(tag, Logit, experts, slots)                                                \
  if (type == kLogitTypeOf<Logit> && plan.expert_tier == (experts) && plan.slot_tier == (slots)) { \
    return &switchyard_top_k_##tag##_e##experts##_k##slots;                                        \
  }
  SWITCHYARD_TOP_K_KERNELS(SWITCHYARD_CASE)
#undef SWITCHYARD_CASE
  throw InternalError("no top-k kernel has room for " + std::to_string(plan.expert_tier) +
                      " experts and " + std::to_string(plan.slot_tier) + " slots");
}

}  // namespace

void launch_top_k(const TopKShape& shape, const TopKPlan& plan, const TopKArguments& arguments) {
  if (plan.blocks == 0) {
    return;
  }
  const TopKKernel kernel = find_kernel(shape.logit_type, plan);
  kernel<<<static_cast<unsigned>(plan.blocks), kTopKWarps * kWarpLanes>>>(arguments);
  SWITCHYARD_CUDA(cudaGetLastError());
}

}  // namespace switchyard
