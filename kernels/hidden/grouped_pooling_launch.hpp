// What the grouped-pooling kernel takes (kernels/stages/grouped_pooling.hpp), and the rules that
// the CPU keeps too. Free of CUDA.
//
// The order of a sum: in an expert's block, lane l of 32 adds coordinates l, l + 32, ... of the
// block in ascending order; for the norm, a lane goes on from block to block, by fused
// multiply-add; then lanes are added by halves, l and l + 16 first, down to l and l + 1.
#pragma once

#include <cstdint>

#include "kernels/device/router_math.cuh"

namespace switchyard {

inline constexpr std::int32_t kPoolWarps = 4;  ///< of a block; one token a warp

/// Kernel arguments; device pointers.
struct PoolingArguments {
  const float* hidden = nullptr;         ///< [tokens, width]
  const std::int32_t* starts = nullptr;  ///< [experts + 1]: first coordinate of each block
  const float* bias = nullptr;           ///< [experts], added to the scores that choose
  float* affinity = nullptr;             ///< [tokens, experts] out: scores without the bias
  float* scores = nullptr;               ///< [tokens, experts] out: with it
  float* kept = nullptr;                 ///< [tokens, experts] out: all -infinity; may be null
  float* highest = nullptr;              ///< [tokens] out: see highest_affinity; may be null
  std::int32_t tokens = 0;
  std::int32_t experts = 0;
  std::int32_t width = 0;
  bool is_affinity = true;  ///< cosine with the block's indicator, else the block's mean
};

/// The score of a block: its mean, or the token's cosine with its indicator; 0 for a token whose
/// squares sum to 0.
SWITCHYARD_HOST_DEVICE float pooled_score(float sum,
                                          std::int32_t size,
                                          float squares,
                                          bool is_affinity) {
  const auto count = static_cast<float>(size);
  const float divisor = is_affinity ? square_root_rounded(multiply_rounded(count, squares)) : count;
  return divisor == 0.0F ? 0.0F : divide_rounded(sum, divisor);
}

/// A token's highest affinity so far, within [0, 1].
SWITCHYARD_HOST_DEVICE float highest_affinity(float before, float affinity) {
  const float higher = affinity > before ? affinity : before;
  return higher > 1.0F ? 1.0F : higher;
}

}  // namespace switchyard
