// What the ordered projection kernels take. C++17 and free of CUDA.
//
// The order of a sum over coordinates, which the CPU keeps too (kernels/stages/
// ordered_projection.hpp): lane l of 32 adds the products of coordinates l, l + 32, ... by fused
// multiply-add in ascending order, starting from 0; then lanes are added by halves, l and l + 16
// first, then l and l + 8, down to l and l + 1.
#pragma once

#include <cstdint>

namespace switchyard {

inline constexpr std::int32_t kProjectWarps = 4;
inline constexpr std::int32_t kProjectTokens = 4;   ///< of a warp
inline constexpr std::int32_t kProjectExperts = 8;  ///< of a warp; tokens times experts is 32

/// Kernel arguments; device pointers. Weighed kernels multiply each coordinate of a token first, by
/// the weights of its cluster or by a mixture of them.
struct ProjectionArguments {
  const float* hidden = nullptr;         ///< [tokens, width]
  const float* gate = nullptr;           ///< [experts, width]
  const float* weights = nullptr;        ///< weighed: [clusters, width]
  const std::int32_t* labels = nullptr;  ///< weighed: [tokens, slots] clusters; < 0 first: weight 1
  const float* shares = nullptr;         ///< mixed: [tokens, slots] share of each cluster
  float* logits = nullptr;               ///< [tokens, experts] out
  std::int32_t tokens = 0;
  std::int32_t experts = 0;
  std::int32_t width = 0;
  std::int32_t slots = 1;
  std::int32_t token_blocks = 1;  ///< blocks that share the tokens
};

enum class TokenWeighing : std::uint8_t { None, ByCluster, ByMixture };

/// What replace_non_finite takes: the released ACMoE code puts the least finite logit of a token
/// (0 if there is none) in place of NaN and infinities.
struct FiniteArguments {
  float* logits = nullptr;  ///< [tokens, experts], in place
  std::int32_t tokens = 0;
  std::int32_t experts = 0;
};

}  // namespace switchyard
