// Random numbers that belong to a token: a hash of (seed, step, layer, rank, token, index), so that
// any thread, and any device, can draw them in any order. Integer arithmetic and exact conversions
// only: the same bits everywhere.
#pragma once

#include <cstdint>

#include "kernels/device/token_bits.cuh"
#include "kernels/router.hpp"

namespace switchyard {

/// The key of a chunk's random numbers; `purpose` keeps two uses apart.
inline std::uint64_t chunk_key(const RouterInput& input, std::uint64_t purpose) {
  std::uint64_t key = mix_bits(purpose, input.seed);
  key = mix_bits(key, static_cast<std::uint64_t>(input.step));
  key = mix_bits(key, static_cast<std::uint64_t>(input.layer));
  return mix_bits(key, static_cast<std::uint64_t>(input.source_rank));
}

}  // namespace switchyard
