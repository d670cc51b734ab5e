// The softmax top-k kernels of kernels/routers/top_k.cuh, one for each line of the table in
// top_k_launch.hpp, and their launcher. The names are plain C, so that profilers, the PTX machine
// and the register gate can call them by name.
#include "kernels/routers/top_k.cuh"

namespace switchyard {

#define SWITCHYARD_KERNEL(tag, Logit, experts, slots)                                        \
  extern "C" __global__ void __launch_bounds__(kTopKWarps* kWarpLanes)                       \
      switchyard_top_k_##tag##_e##experts##_k##slots(const TopKArguments arguments) {        \
    top_k_of_block<Logit, experts, slots>(arguments, static_cast<std::int32_t>(blockIdx.x)); \
  }
SWITCHYARD_TOP_K_KERNELS(SWITCHYARD_KERNEL)
#undef SWITCHYARD_KERNEL

}  // namespace switchyard
