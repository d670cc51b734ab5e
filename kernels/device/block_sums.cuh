// Sums and meetings of a whole block.
#pragma once

#include "kernels/device/executor.cuh"
#include "kernels/device/warp_top_k.cuh"

namespace switchyard {

template <int kWarps>
struct WarpSums {
  float of_warp[kWarps];
};

/// Sum over the block's 32 * kWarps threads by the rule "sums" of router_math.cuh; all threads call
/// and get it.
template <int kWarps>
SWITCHYARD_DEVICE float block_sum(float value) {
  SWITCHYARD_SHARED(WarpSums<kWarps>, sums);
  const auto thread = static_cast<int>(threadIdx.x);
  const float of_warp = lanes_sum<kWarpLanes>(value);
  __syncthreads();  // the sums of a call before have been read
  if (thread % kWarpLanes == 0) {
    sums.of_warp[thread / kWarpLanes] = of_warp;
  }
  __syncthreads();
  float total[kWarps];
  SWITCHYARD_UNROLL
  for (int warp = 0; warp < kWarps; ++warp) {
    total[warp] = sums.of_warp[warp];
  }
  SWITCHYARD_UNROLL
  for (int distance = 1; distance < kWarps; distance *= 2) {
    SWITCHYARD_UNROLL
    for (int warp = 0; warp + distance < kWarps; warp += 2 * distance) {
      total[warp] = add_rounded(total[warp], total[warp + distance]);
    }
  }
  return total[0];
}

struct Arrival {
  bool is_last;
};

/// True in the block that is the last of `expected` to call with this counter; what the others
/// wrote before is then visible to it, through __ldcg. Leaves the counter at 0. All threads call.
SWITCHYARD_DEVICE bool is_last_arrival(std::uint32_t* counter, unsigned expected) {
  SWITCHYARD_SHARED(Arrival, arrival);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    arrival.is_last = atomicAdd(counter, 1U) == expected - 1;
    if (arrival.is_last) {
      *counter = 0;
    }
  }
  __syncthreads();
  __threadfence();
  return arrival.is_last;
}

}  // namespace switchyard
