// What a kernel source needs to be compiled twice: by nvcc for a GPU, and by a host compiler for
// the SIMT emulator of tests/emulation, whose vocabulary header must then come first. Kernels stay
// C++17 and declare shared memory only through SWITCHYARD_SHARED(Type, name).
#pragma once

#include <cstdint>

#include "kernels/device/router_math.cuh"

#if defined(__CUDACC__)
#define SWITCHYARD_SHARED(Type, name) __shared__ Type name
#define SWITCHYARD_UNROLL _Pragma("unroll")
#elif defined(SWITCHYARD_SIMT_EMULATOR)
#define SWITCHYARD_UNROLL
#else
#error "device code needs nvcc, or tests/emulation/simt/cuda_vocabulary.hpp included before it"
#endif

#define SWITCHYARD_DEVICE __device__ __forceinline__

namespace switchyard {

inline constexpr unsigned kFullWarp = 0xFFFFFFFFU;
inline constexpr int kWarpLanes = 32;

/// The same value, of which the compiler knows nothing: keeps sums with constants as they are
/// written.
SWITCHYARD_DEVICE std::uint32_t opaque(std::uint32_t value) {
#if defined(__CUDA_ARCH__)
  asm("" : "+r"(value));
#endif
  return value;
}

/// Two words as one, in one PTX instruction where shifts would take three.
SWITCHYARD_DEVICE std::uint64_t join_words(std::uint32_t high, std::uint32_t low) {
#if defined(__CUDA_ARCH__)
  std::uint64_t joined = 0;
  asm("mov.b64 %0, {%1, %2};" : "=l"(joined) : "r"(low), "r"(high));
  return joined;
#else
  return static_cast<std::uint64_t>(high) << 32 | low;
#endif
}

/// The high one of two joined words.
SWITCHYARD_DEVICE std::uint32_t high_word(std::uint64_t joined) {
#if defined(__CUDA_ARCH__)
  std::uint32_t high = 0;
  asm("{ .reg .b32 low;\n  mov.b64 {low, %0}, %1; }" : "=r"(high) : "l"(joined));
  return high;
#else
  return static_cast<std::uint32_t>(joined >> 32);
#endif
}

/// PTX prmt: four bytes of the eight in (high, low), picked by the nibbles of `selector`, lowest
/// first; bit 3 of a nibble spreads the sign of that byte instead of copying it.
SWITCHYARD_DEVICE std::uint32_t permute_bytes(std::uint32_t low,
                                              std::uint32_t high,
                                              std::uint32_t selector) {
#if defined(__CUDA_ARCH__)
  std::uint32_t result = 0;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(result) : "r"(low), "r"(high), "r"(selector));
  return result;
#else
  const std::uint64_t bytes = (static_cast<std::uint64_t>(high) << 32) | low;
  std::uint32_t result = 0;
  for (unsigned position = 0; position < 4; ++position) {
    const unsigned nibble = selector >> (4 * position) & 15U;
    std::uint32_t byte = static_cast<std::uint32_t>(bytes >> (8 * (nibble & 7U))) & 0xFFU;
    if ((nibble & 8U) != 0) {
      byte = (byte & 0x80U) != 0 ? 0xFFU : 0U;
    }
    result |= byte << (8 * position);
  }
  return result;
#endif
}

}  // namespace switchyard
