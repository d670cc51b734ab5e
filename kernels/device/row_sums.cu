// One warp for each row. A step sums 128 neighbours; the sums of 32 steps wait in the lanes until
// they are summed in their turn, and so do the sums of those: a balanced tree of any length.
#include "kernels/device/kernel.cuh"
#include "kernels/device/row_sums.hpp"
#include "kernels/device/warp_top_k.cuh"

namespace switchyard {

SWITCHYARD_DEVICE float sum_of_step(const RowSumArguments& arguments,
                                    const float* row,
                                    std::int32_t first) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  // Lanes take every 32nd value, for whole sectors; four trees of 32 make one of 128.
  float sums[4];
  SWITCHYARD_UNROLL
  for (int part = 0; part < 4; ++part) {
    const std::int32_t column = first + part * kWarpLanes + lane;
    const float value = column < arguments.columns ? row[column] : 0.0F;
    const float magnitude = float_of_bits(bits_of_float(value) & 0x7FFFFFFFU);
    sums[part] = lanes_sum<kWarpLanes>(arguments.is_absolute ? magnitude : value);
  }
  return add_rounded(add_rounded(sums[0], sums[1]), add_rounded(sums[2], sums[3]));
}

SWITCHYARD_KERNEL(switchyard_row_sums, RowSumArguments, kRowSumWarps* kWarpLanes) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const std::int32_t row_index = static_cast<std::int32_t>(blockIdx.x) * kRowSumWarps +
                                 static_cast<std::int32_t>(threadIdx.x) / kWarpLanes;
  if (row_index >= arguments.rows) {
    return;
  }
  constexpr std::int32_t kStep = 4 * kWarpLanes;
  const float* const row =
      arguments.values + static_cast<std::int64_t>(row_index) * arguments.columns;
  float upper = 0.0F;
  for (std::int32_t group = 0; group * kStep * kWarpLanes < arguments.columns; ++group) {
    float lower = 0.0F;
    const std::int32_t start = group * kStep * kWarpLanes;
    for (int step = 0; step < kWarpLanes && start + step * kStep < arguments.columns; ++step) {
      const float sum = sum_of_step(arguments, row, start + step * kStep);
      lower = lane == step ? sum : lower;
    }
    const float sum = lanes_sum<kWarpLanes>(lower);
    upper = lane == group ? sum : upper;
  }
  const float sum = lanes_sum<kWarpLanes>(upper);
  if (lane == 0) {
    arguments.sums[row_index] = divide_rounded(sum, arguments.divisor);
  }
}

}  // namespace switchyard
