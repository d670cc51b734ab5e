// Device side of grouped average pooling: a warp reads a token once and reduces every expert's
// block of it.
#pragma once

#include "kernels/device/executor.cuh"
#include "kernels/hidden/grouped_pooling_launch.hpp"

namespace switchyard {

/// Sum over the warp by halves; the same bits on every lane.
SWITCHYARD_DEVICE float sum_by_halves(float value) {
  SWITCHYARD_UNROLL
  for (int distance = kWarpLanes / 2; distance > 0; distance /= 2) {
    value = add_rounded(value, __shfl_xor_sync(kFullWarp, value, distance));
  }
  return value;
}

SWITCHYARD_DEVICE float squares_of_token(const PoolingArguments& arguments,
                                         const float* hidden,
                                         int lane) {
  float square = 0.0F;
  for (std::int32_t expert = 0; expert < arguments.experts; ++expert) {
    const std::int32_t last = arguments.starts[expert + 1];
    for (std::int32_t at = arguments.starts[expert] + lane; at < last; at += kWarpLanes) {
      square = multiply_add_rounded(hidden[at], hidden[at], square);
    }
  }
  return sum_by_halves(square);
}

/// Body of a kernel of kPoolWarps warps.
SWITCHYARD_DEVICE void pool_of_block(const PoolingArguments& arguments) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const std::int32_t token = static_cast<std::int32_t>(blockIdx.x) * kPoolWarps +
                             static_cast<std::int32_t>(threadIdx.x) / kWarpLanes;
  if (token >= arguments.tokens) {
    return;
  }
  const float* const hidden = arguments.hidden + static_cast<std::int64_t>(token) * arguments.width;
  const float squares = arguments.is_affinity ? squares_of_token(arguments, hidden, lane) : 0.0F;
  float highest = 0.0F;
  float own = 0.0F;  // the score of the lane's expert, of 32 at a time
  for (std::int32_t expert = 0; expert < arguments.experts; ++expert) {
    const std::int32_t first = arguments.starts[expert];
    const std::int32_t last = arguments.starts[expert + 1];
    float sum = 0.0F;
    for (std::int32_t at = first + lane; at < last; at += kWarpLanes) {
      sum = add_rounded(sum, hidden[at]);
    }
    const float score =
        pooled_score(sum_by_halves(sum), last - first, squares, arguments.is_affinity);
    highest = highest_affinity(highest, score);
    own = expert % kWarpLanes == lane ? score : own;
    const bool is_full = expert % kWarpLanes == kWarpLanes - 1 || expert + 1 == arguments.experts;
    const std::int32_t of_lane = expert / kWarpLanes * kWarpLanes + lane;
    if (is_full && of_lane < arguments.experts) {
      const std::int64_t out = static_cast<std::int64_t>(token) * arguments.experts + of_lane;
      arguments.affinity[out] = own;
      arguments.scores[out] = add_rounded(own, arguments.bias[of_lane]);
      if (arguments.kept != nullptr) {
        arguments.kept[out] = -float_of_bits(0x7F800000U);
      }
    }
  }
  if (lane == 0 && arguments.highest != nullptr) {
    arguments.highest[token] = highest;
  }
}

}  // namespace switchyard
