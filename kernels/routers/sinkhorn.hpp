// What the Sinkhorn router's kernels and its CPU form share: the arguments, and the order of sums.
// A token's row is summed expert after expert. A column is summed over chunks of kSinkhornTokens
// tokens, each a balanced tree (rule "sums" of kernels/device/router_math.cuh), then chunk after
// chunk.
#pragma once

#include <cstdint>

#include "kernels/device/router_math.cuh"

namespace switchyard {

inline constexpr std::int32_t kSinkhornTokens = 128;
inline constexpr std::int32_t kSinkhornScaleThreads = 256;

/// Kernel arguments; device pointers.
struct SinkhornArguments {
  const float* share = nullptr;         ///< [experts, tokens] softmax of the logits
  float* scale = nullptr;               ///< [experts] factors of the columns, in and out
  float* log_scale = nullptr;           ///< [experts] out
  float* column_sums = nullptr;         ///< scratch: [chunks, experts]
  std::int32_t* counted = nullptr;      ///< scratch: [chunks] tokens whose row is not empty
  std::uint8_t* is_balanced = nullptr;  ///< one: nothing is left to do
  std::int32_t tokens = 0;
  std::int32_t experts = 0;  ///< up to 1024
  float most_change = 0.0F;  ///< sum over experts of the relative change at which scaling stops
};

/// 1 / row, or 0 for a token without a valid logit.
SWITCHYARD_HOST_DEVICE float inverse_of_row(float row) {
  return row > 0.0F ? divide_rounded(1.0F, row) : 0.0F;
}

/// The next factor of a column. Where all shares have nearly vanished it is bounded, so that no
/// product overflows.
SWITCHYARD_HOST_DEVICE float next_scale(float scale, float column, float fair) {
  return column > 0.0F ? limited(divide_rounded(fair, column), 1e-30F, 1e30F) : scale;
}

SWITCHYARD_HOST_DEVICE float relative_change(float scale, float next) {
  const float change = subtract_rounded(next, scale);
  return divide_rounded(change < 0.0F ? -change : change, scale);
}

}  // namespace switchyard
