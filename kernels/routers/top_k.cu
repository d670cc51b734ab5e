// The softmax top-k kernels of kernels/routers/top_k.cuh, one for each line of the table in
// top_k_launch.hpp.
#include "kernels/device/kernel.cuh"
#include "kernels/routers/top_k.cuh"

namespace switchyard {

#define SWITCHYARD_TOP_K(tag, Logit, experts, slots)                                           \
  SWITCHYARD_KERNEL(                                                                           \
      switchyard_top_k_##tag##_e##experts##_k##slots, TopKArguments, kTopKWarps* kWarpLanes) { \
    top_k_of_block<Logit, experts, slots>(arguments, static_cast<std::int32_t>(blockIdx.x));   \
  }
SWITCHYARD_TOP_K_KERNELS(SWITCHYARD_TOP_K)
#undef SWITCHYARD_TOP_K

}  // namespace switchyard
