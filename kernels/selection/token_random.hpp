// Random numbers that belong to a token: a hash of (seed, step, layer, rank, token, index), so that
// any thread, and any device, can draw them in any order. Integer arithmetic and exact conversions
// only: the same bits everywhere.
#pragma once

#include <cstdint>

#include "core/numbers/random.hpp"
#include "kernels/router.hpp"

namespace switchyard {

/// The key of a chunk's random numbers; `purpose` keeps two uses apart.
inline std::uint64_t chunk_key(const RouterInput& input, std::uint64_t purpose) {
  std::uint64_t key = mix_bits(purpose, input.seed);
  key = mix_bits(key, static_cast<std::uint64_t>(input.step));
  key = mix_bits(key, static_cast<std::uint64_t>(input.layer));
  return mix_bits(key, static_cast<std::uint64_t>(input.source_rank));
}

/// Uniform in [0, 1).
inline double uniform_of(std::uint64_t key, std::uint64_t index) {
  return static_cast<double>(mix_bits(key, index) >> 11U) * 0x1p-53;
}

/// Mean 0, variance 1, a sum of twelve 16-bit uniform numbers: normal but for tails beyond 6.
inline float normal_of(std::uint64_t key, std::uint64_t index) {
  std::int32_t sum = -12 * 65535 / 2;
  for (std::uint64_t part = 0; part < 3; ++part) {
    const std::uint64_t bits = mix_bits(key, 3 * index + part);
    sum += static_cast<std::int32_t>((bits & 0xFFFFU) + (bits >> 16U & 0xFFFFU) +
                                     (bits >> 32U & 0xFFFFU) + (bits >> 48U));
  }
  return static_cast<float>(sum) * 0x1p-16F;
}

}  // namespace switchyard
