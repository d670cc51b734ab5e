// One warp for each part of the sum, one lane for each column.
#include "kernels/device/group_means.hpp"
#include "kernels/device/kernel.cuh"
#include "kernels/device/logit_row.cuh"

namespace switchyard {

struct GroupParts {
  float sum[kGroupMeanParts][kWarpLanes];
  float count[kGroupMeanParts][kWarpLanes];
};

SWITCHYARD_DEVICE bool is_finite(float value) {
  return (bits_of_float(value) & 0x7F800000U) != 0x7F800000U;
}

SWITCHYARD_DEVICE float sum_of_parts(float (&parts)[kGroupMeanParts][kWarpLanes], int lane) {
  float sums[kGroupMeanParts];
  SWITCHYARD_UNROLL
  for (int part = 0; part < kGroupMeanParts; ++part) {
    sums[part] = parts[part][lane];
  }
  SWITCHYARD_UNROLL
  for (int distance = 1; distance < kGroupMeanParts; distance *= 2) {
    SWITCHYARD_UNROLL
    for (int part = 0; part < kGroupMeanParts; part += 2 * distance) {
      sums[part] = add_rounded(sums[part], sums[part + distance]);
    }
  }
  return sums[0];
}

SWITCHYARD_KERNEL(switchyard_group_means, GroupMeanArguments, kGroupMeanParts* kWarpLanes) {
  SWITCHYARD_SHARED(GroupParts, parts);
  const auto group = static_cast<std::int32_t>(blockIdx.x);
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const int part = static_cast<int>(threadIdx.x) / kWarpLanes;
  const std::int32_t end = arguments.first[group + 1];
  for (std::int32_t first = 0; first < arguments.columns; first += kWarpLanes) {
    const std::int32_t column = first + lane;
    float sum = 0.0F;
    float count = 0.0F;
    for (std::int32_t at = arguments.first[group] + part; at < end; at += kGroupMeanParts) {
      const std::int64_t row = arguments.members[at];
      const float value =
          column < arguments.columns ? arguments.values[row * arguments.columns + column] : 0.0F;
      sum = is_finite(value) ? add_rounded(sum, value) : sum;
      count = is_finite(value) ? add_rounded(count, 1.0F) : count;
    }
    parts.sum[part][lane] = sum;
    parts.count[part][lane] = count;
    __syncthreads();
    if (part == 0 && column < arguments.columns) {
      const float members = sum_of_parts(parts.count, lane);
      const float total = sum_of_parts(parts.sum, lane);
      arguments.means[static_cast<std::int64_t>(group) * arguments.columns + column] =
          members > 0.0F ? divide_rounded(total, members) : float_of_bits(kNotANumberBits);
    }
    __syncthreads();
  }
}

}  // namespace switchyard
