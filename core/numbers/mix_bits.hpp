// A hash of 64-bit integers, for host and device code.
#pragma once

#include <cstdint>

namespace switchyard {

/// Mixes `value` into `state` (SplitMix64's finaliser); also a good hash of small integers.
constexpr std::uint64_t mix_bits(std::uint64_t state, std::uint64_t value) {
  std::uint64_t z = (state ^ value) + 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

}  // namespace switchyard
