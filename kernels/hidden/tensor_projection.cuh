// logits = hidden x gate^T of bfloat16 numbers on tensor cores, with float sums. A warp makes 16 x
// 32 logits; operands go from memory to registers, two coordinates in a word, as mma.sync wants
// them.
#pragma once

#include "kernels/device/tensor_core.cuh"
#include "kernels/hidden/tensor_projection_launch.hpp"

namespace switchyard {

/// Coordinates `at` and `at + 1` of a row; zeros beyond its end.
SWITCHYARD_DEVICE std::uint32_t load_pair(const Bfloat16* row,
                                          std::int32_t at,
                                          std::int32_t width) {
  return at < width ? *reinterpret_cast<const std::uint32_t*>(row + at) : 0U;
}

/// Body of a kernel of kTensorWarps warps.
SWITCHYARD_DEVICE void tensor_project_of_block(const TensorArguments& arguments) {
  constexpr int kTiles = kTensorExperts / 8;
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const auto warp = static_cast<std::int32_t>(threadIdx.x) / kWarpLanes;
  const auto block = static_cast<std::int32_t>(blockIdx.x);
  const std::int32_t first_token =
      (block % arguments.token_blocks * kTensorWarps + warp) * kTensorTokens;
  const std::int32_t first_expert = block / arguments.token_blocks * kTensorExperts;
  if (first_token >= arguments.tokens) {
    return;
  }
  // Rows that do not exist are read as the last one and not written.
  const auto row_of = [&](const Bfloat16* rows, std::int32_t row, std::int32_t count) {
    return rows + static_cast<std::int64_t>(row < count ? row : count - 1) * arguments.width;
  };
  const Bfloat16* const upper = row_of(arguments.hidden, first_token + lane / 4, arguments.tokens);
  const Bfloat16* const lower =
      row_of(arguments.hidden, first_token + lane / 4 + 8, arguments.tokens);
  const Bfloat16* gate[kTiles];
  float sums[kTiles][4] = {};
  SWITCHYARD_UNROLL
  for (int tile = 0; tile < kTiles; ++tile) {
    gate[tile] = row_of(arguments.gate, first_expert + tile * 8 + lane / 4, arguments.experts);
  }
  for (std::int32_t step = 0; step < arguments.width; step += kTensorStep) {
    const std::int32_t at = step + lane % 4 * 2;
    const std::uint32_t a[4] = {load_pair(upper, at, arguments.width),
                                load_pair(lower, at, arguments.width),
                                load_pair(upper, at + 8, arguments.width),
                                load_pair(lower, at + 8, arguments.width)};
    SWITCHYARD_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      const std::uint32_t b[2] = {load_pair(gate[tile], at, arguments.width),
                                  load_pair(gate[tile], at + 8, arguments.width)};
      multiply_add_tile(a, b, sums[tile]);
    }
  }
  SWITCHYARD_UNROLL
  for (int tile = 0; tile < kTiles; ++tile) {
    SWITCHYARD_UNROLL
    for (int item = 0; item < 4; ++item) {
      const std::int32_t token = first_token + lane / 4 + item / 2 * 8;
      const std::int32_t expert = first_expert + tile * 8 + lane % 4 * 2 + item % 2;
      if (token < arguments.tokens && expert < arguments.experts) {
        arguments.logits[static_cast<std::int64_t>(token) * arguments.experts + expert] =
            sums[tile][item];
      }
    }
  }
}

}  // namespace switchyard
