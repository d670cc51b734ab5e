// mma.sync.m16n8k16 of bfloat16 with float sums: D[16, 8] += A[16, 16] x B[16, 8], the registers of
// each matrix spread over a warp as PTX lays them out. With g = lane / 4 and t = lane % 4:
//   A: rows g, g + 8; coordinates 2t, 2t + 1 and, in registers 2 and 3, 2t + 8, 2t + 9
//   B: column g; coordinates 2t, 2t + 1 and, in register 1, 2t + 8, 2t + 9
//   D: rows g (0, 1) and g + 8 (2, 3); columns 2t, 2t + 1
#pragma once

#include "kernels/device/executor.cuh"

namespace switchyard {

#if !defined(__CUDA_ARCH__)
/// Two bfloat16 numbers of a word, times two of another, added in their order.
inline float add_pair_products(std::uint32_t a, std::uint32_t b, float sum) {
  sum = multiply_add_rounded(float_of_bfloat16(a & 0xFFFFU), float_of_bfloat16(b & 0xFFFFU), sum);
  return multiply_add_rounded(float_of_bfloat16(a >> 16), float_of_bfloat16(b >> 16), sum);
}
#endif

/// Every lane of the warp calls.
SWITCHYARD_DEVICE void multiply_add_tile(const std::uint32_t (&a)[4],
                                         const std::uint32_t (&b)[2],
                                         float (&d)[4]) {
#if defined(__CUDA_ARCH__)
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const int column = lane % 4 * 2;
  for (int half = 0; half < 2; ++half) {
    for (int source = 0; source < 4; ++source) {
      std::uint32_t rows[2];
      std::uint32_t columns[2];
      for (int item = 0; item < 2; ++item) {
        rows[item] = __shfl_sync(kFullWarp, a[2 * half + item], lane / 4 * 4 + source);
        columns[item] = __shfl_sync(kFullWarp, b[half], (column + item) * 4 + source);
      }
      for (int item = 0; item < 4; ++item) {
        d[item] = add_pair_products(rows[item / 2], columns[item % 2], d[item]);
      }
    }
  }
#endif
}

}  // namespace switchyard
