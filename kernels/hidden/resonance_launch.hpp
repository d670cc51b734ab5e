// What the kernels of Expert-Token Resonance take, and the rules that the CPU keeps too. Free of
// CUDA.
//
// The adaptive capacity sums affinities as whole multiples of 2^-40, rounded towards zero: integer
// sums need no order, so that an expert's candidates need no sorting.
#pragma once

#include <cstdint>

#include "kernels/device/router_math.cuh"

namespace switchyard {

inline constexpr std::int32_t kResonanceThreads = 128;

enum class ResonanceCapacity : std::uint8_t { Factor, Bound, Adaptive };

/// How many tokens experts keep.
struct CapacityRule {
  ResonanceCapacity kind = ResonanceCapacity::Adaptive;
  std::int32_t tokens = 0;
  std::int32_t most = 0;    ///< of the capacity factor
  std::int32_t rank = 1;    ///< of the quantile: this many tokens have no higher cosine
  std::uint64_t theta = 0;  ///< share of the affinity, in units of 2^-32
  float width = 0.0F;       ///< of a hidden state
  float experts = 0.0F;
  float fair = 0.0F;           ///< nominations over experts
  bool counts_tokens = false;  ///< the bound's unit: tokens, else a factor on `fair`
};

/// Kernel arguments; device pointers.
struct ResonanceArguments {
  const float* affinity = nullptr;        ///< [tokens, experts]
  const float* scores = nullptr;          ///< [tokens, experts]
  const float* highest = nullptr;         ///< [tokens] each token's highest affinity
  const std::int32_t* offsets = nullptr;  ///< [experts + 1] into `sources`; null: all candidates
  const std::int32_t* sources = nullptr;  ///< token * slots + slot of nominations, by expert
  std::uint32_t* keys = nullptr;          ///< scratch: one for each candidate
  std::int32_t* least = nullptr;          ///< scratch: one, the capacity that the bound asks for
  float* kept = nullptr;                  ///< [tokens, experts] -infinity in, scores of kept out
  std::int32_t slots = 1;
  std::int32_t experts = 0;
  CapacityRule rule;
};

/// A count of tokens as a whole number in [1, tokens], rounded up.
SWITCHYARD_HOST_DEVICE std::int32_t whole_tokens(float count, std::int32_t tokens) {
  if (!(count > 1.0F)) {
    return 1;
  }
  if (count >= static_cast<float>(tokens)) {
    return tokens;
  }
  const auto below = static_cast<std::int32_t>(count);
  return static_cast<float>(below) < count ? below + 1 : below;
}

/// Remark 7 of the paper: exp(d m^2 / (2 - m^2)) / experts, for the cosine m; the exponent ends at
/// 88.
SWITCHYARD_HOST_DEVICE std::int32_t least_capacity(const CapacityRule& rule, float cosine) {
  const float square = multiply_rounded(cosine, cosine);
  const float exponent =
      divide_rounded(multiply_rounded(rule.width, square), subtract_rounded(2.0F, square));
  const float bound = divide_rounded(exp_reproducible(exponent), rule.experts);
  return whole_tokens(rule.counts_tokens ? bound : multiply_rounded(bound, rule.fair), rule.tokens);
}

/// An affinity in units of 2^-40; 0 for one that is not positive.
SWITCHYARD_HOST_DEVICE std::uint64_t fixed_affinity(float affinity) {
  if (!(affinity > 0.0F)) {
    return 0;
  }
  const std::uint32_t bits = bits_of_float(affinity);
  const auto shift = static_cast<std::int32_t>(bits >> 23) - (127 + 23 - 40);
  const std::uint64_t significand = (bits & 0x7FFFFFU) | 0x800000U;
  if (shift <= -24) {
    return 0;
  }
  return shift >= 0 ? significand << shift : significand >> -shift;
}

/// The share theta of a sum of affinities, rounded down.
SWITCHYARD_HOST_DEVICE std::uint64_t share_of_affinity(std::uint64_t total, std::uint64_t theta) {
  return (total >> 32) * theta + (((total & 0xFFFFFFFFU) * theta) >> 32);
}

/// The capacity of an expert of which `wanted` candidates hold the share theta.
SWITCHYARD_HOST_DEVICE std::int32_t expert_capacity(const CapacityRule& rule,
                                                    std::int32_t least,
                                                    std::int32_t wanted) {
  if (rule.kind == ResonanceCapacity::Factor) {
    return rule.most;
  }
  if (rule.kind == ResonanceCapacity::Bound || wanted < least) {
    return least;
  }
  // Where the bound exceeds the factor, the bound is what the experts need.
  const std::int32_t most = least > rule.most ? least : rule.most;
  return wanted < most ? wanted : most;
}

}  // namespace switchyard
