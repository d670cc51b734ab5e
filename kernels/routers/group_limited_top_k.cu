// The group-limited top-k kernels, one for each line of the table in
// group_limited_top_k_launch.hpp.
#include "kernels/device/kernel.cuh"
#include "kernels/routers/group_limited_top_k.cuh"

namespace switchyard {

#define SWITCHYARD_GROUP_TOP_K(tag, Logit, most)                                            \
  SWITCHYARD_KERNEL(                                                                        \
      switchyard_group_top_k_##tag##_m##most, GroupTopKArguments, kTopKWarps* kWarpLanes) { \
    group_top_k_of_block<Logit, most>(arguments, static_cast<std::int32_t>(blockIdx.x));    \
  }
SWITCHYARD_GROUP_TOP_K_KERNELS(SWITCHYARD_GROUP_TOP_K)
#undef SWITCHYARD_GROUP_TOP_K

}  // namespace switchyard
