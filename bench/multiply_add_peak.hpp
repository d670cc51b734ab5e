// The float32 multiply-add peak of one core: independent chains of the widest instruction there is.
#pragma once

#include <cstdint>

namespace switchyard::bench {

#if defined(__x86_64__)

// Ten chains hide the latency of two multiply-add units (four or five cycles each). All operands
// are zero: zmm0 to zmm9 collect, zmm10 and zmm11 are the factor and the addend.
#define SWITCHYARD_TEN_CHAINS(v)                                                        \
  "vfmadd213ps %%" v "10, %%" v "11, %%" v "0\n vfmadd213ps %%" v "10, %%" v "11, %%" v \
  "1\n"                                                                                 \
  "vfmadd213ps %%" v "10, %%" v "11, %%" v "2\n vfmadd213ps %%" v "10, %%" v "11, %%" v \
  "3\n"                                                                                 \
  "vfmadd213ps %%" v "10, %%" v "11, %%" v "4\n vfmadd213ps %%" v "10, %%" v "11, %%" v \
  "5\n"                                                                                 \
  "vfmadd213ps %%" v "10, %%" v "11, %%" v "6\n vfmadd213ps %%" v "10, %%" v "11, %%" v \
  "7\n"                                                                                 \
  "vfmadd213ps %%" v "10, %%" v "11, %%" v "8\n vfmadd213ps %%" v "10, %%" v "11, %%" v "9\n"

#define SWITCHYARD_CHAIN_REGISTERS \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11"

/// Zeroing one register of each name clears the whole vector.
inline void clear_chains() {
  __asm__ volatile("vzeroall\n" ::: SWITCHYARD_CHAIN_REGISTERS, "xmm12", "xmm13", "xmm14", "xmm15");
}

inline void run_chains_512(std::int64_t rounds) {
  for (std::int64_t round = 0; round < rounds; ++round) {
    __asm__ volatile(SWITCHYARD_TEN_CHAINS("zmm") : : : SWITCHYARD_CHAIN_REGISTERS);
  }
}

inline void run_chains_256(std::int64_t rounds) {
  for (std::int64_t round = 0; round < rounds; ++round) {
    __asm__ volatile(SWITCHYARD_TEN_CHAINS("ymm") : : : SWITCHYARD_CHAIN_REGISTERS);
  }
}

#undef SWITCHYARD_TEN_CHAINS
#undef SWITCHYARD_CHAIN_REGISTERS

/// Lanes of the widest multiply-add of this machine; 0: none that is measured here.
inline std::int64_t multiply_add_lanes() {
  if (static_cast<bool>(__builtin_cpu_supports("avx512f"))) {
    return 16;
  }
  return static_cast<bool>(__builtin_cpu_supports("fma")) ? 8 : 0;
}

/// Returns the floating-point operations done.
inline double run_multiply_add_chains(std::int64_t rounds) {
  clear_chains();
  const std::int64_t lanes = multiply_add_lanes();
  if (lanes == 16) {
    run_chains_512(rounds);
  } else {
    run_chains_256(rounds);
  }
  return 2.0 * 10 * static_cast<double>(lanes * rounds);
}

#else

inline std::int64_t multiply_add_lanes() {
  return 0;
}

inline double run_multiply_add_chains(std::int64_t /*rounds*/) {
  return 0;
}

#endif

}  // namespace switchyard::bench
