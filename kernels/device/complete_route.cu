// The one-launch kernels of kernels/device/complete_route.hpp.
#include "kernels/device/complete_route.hpp"
#include "kernels/device/dispatch_layout.cuh"
#include "kernels/device/kernel.cuh"
#include "kernels/routers/top_k.cuh"

namespace switchyard {

#define SWITCHYARD_COMPLETE_ROUTE(tag, Logit, experts, slots)                     \
  SWITCHYARD_WIDE_KERNEL(switchyard_complete_route_##tag##_e##experts##_k##slots, \
                         CompleteRouteArguments,                                  \
                         kOneLaunchThreads) {                                     \
    top_k_of_block<Logit, experts, slots>(arguments.choice, 0);                   \
    __syncthreads();                                                              \
    count_of_block<kOneLaunchWarps>(arguments.layout);                            \
    __syncthreads();                                                              \
    place_of_block<kOneLaunchWarps, kOneLaunchMostExperts>(arguments.layout);     \
  }
SWITCHYARD_COMPLETE_ROUTE_KERNELS(SWITCHYARD_COMPLETE_ROUTE)
#undef SWITCHYARD_COMPLETE_ROUTE

}  // namespace switchyard
