// Arithmetic and ordering rules that every executor of a router shares: nvcc on the device, the
// SIMT emulator and the CPU backend include this one header. It uses only correctly rounded
// primitives in a fixed association, so results agree to the last bit; host code must be compiled
// with -ffp-contract=off.
//
// Rules (checked for every executor by tests/emulation and tests/contract):
//   order      the larger logit first; -0 equals +0; among equals the lower expert index wins
//   validity   NaN and -infinity (a masked expert) are never chosen
//   too few    a slot without a valid expert holds kAbsentExpert and weight +0
//   infinity   +infinity wins; several of them share the softmax weight equally
//   sums       balanced tree over the index, neighbours first (pairwise_sum); absent terms are +0
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define SWITCHYARD_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define SWITCHYARD_HOST_DEVICE inline
#endif

namespace switchyard {

/// Expert id of a slot that holds no expert: kNoExpert of traces/, which device code cannot
/// include.
inline constexpr std::int32_t kAbsentExpert = -1;

SWITCHYARD_HOST_DEVICE float float_of_bits(std::uint32_t bits) {
#if defined(__CUDA_ARCH__)
  return __uint_as_float(bits);
#else
  float value = 0.0F;
  memcpy(&value, &bits, sizeof value);
  return value;
#endif
}

SWITCHYARD_HOST_DEVICE std::uint32_t bits_of_float(float value) {
#if defined(__CUDA_ARCH__)
  return __float_as_uint(value);
#else
  std::uint32_t bits = 0;
  memcpy(&bits, &value, sizeof bits);
  return bits;
#endif
}

// The _rn intrinsics are never contracted into an fma by nvcc.
SWITCHYARD_HOST_DEVICE float add_rounded(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}

SWITCHYARD_HOST_DEVICE float subtract_rounded(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fsub_rn(a, b);
#else
  return a - b;
#endif
}

SWITCHYARD_HOST_DEVICE float multiply_rounded(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

SWITCHYARD_HOST_DEVICE float divide_rounded(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fdiv_rn(a, b);
#else
  return a / b;
#endif
}

SWITCHYARD_HOST_DEVICE float square_root_rounded(float a) {
#if defined(__CUDA_ARCH__)
  return __fsqrt_rn(a);
#else
  return sqrtf(a);
#endif
}

SWITCHYARD_HOST_DEVICE float multiply_add_rounded(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
  return __fmaf_rn(a, b, c);
#else
  return fmaf(a, b, c);
#endif
}

/// exp(x) within 2 ulp for -87 <= x <= 88, meaningless elsewhere. Cody-Waite reduction and a
/// minimax polynomial of degree 6 (relative error 3e-9 on [-0.347, 0.347]).
SWITCHYARD_HOST_DEVICE float exp_in_range(float x) {
  // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer and leaves it in the low bits.
  const float shifted = multiply_add_rounded(x, 1.44269504F, 12582912.0F);
  const float n = add_rounded(shifted, -12582912.0F);
  float r = multiply_add_rounded(n, -0.693359375F, x);
  r = multiply_add_rounded(n, 2.12194440e-4F, r);
  float p = 1.381451762e-3F;
  p = multiply_add_rounded(p, r, 8.368752981e-3F);
  p = multiply_add_rounded(p, r, 4.166839164e-2F);
  p = multiply_add_rounded(p, r, 1.666652033e-1F);
  p = multiply_add_rounded(p, r, 4.999999343e-1F);
  p = multiply_add_rounded(p, r, 1.0F);
  p = multiply_add_rounded(p, r, 1.0F);
  // p is in [0.7, 1.5), so 2^n can be added to its exponent field without leaving the normal range.
  return float_of_bits(bits_of_float(p) + (bits_of_float(shifted) << 23));
}

/// exp_in_range(-x), bit for bit, without a negation: signs move into the constants, and every
/// other step of the polynomial carries its negative.
SWITCHYARD_HOST_DEVICE float exp_of_negative(float x) {
  const float shifted = multiply_add_rounded(x, -1.44269504F, 12582912.0F);
  const float n = add_rounded(shifted, -12582912.0F);
  float r = multiply_add_rounded(n, 0.693359375F, x);
  r = multiply_add_rounded(n, -2.12194440e-4F, r);
  float p = multiply_add_rounded(1.381451762e-3F, r, -8.368752981e-3F);
  p = multiply_add_rounded(p, r, 4.166839164e-2F);
  p = multiply_add_rounded(p, r, -1.666652033e-1F);
  p = multiply_add_rounded(p, r, 4.999999343e-1F);
  p = multiply_add_rounded(p, r, -1.0F);
  p = multiply_add_rounded(p, r, 1.0F);
  return float_of_bits(bits_of_float(p) + (bits_of_float(shifted) << 23));
}

/// exp(x) within 2 ulp for x <= 0; 0 below -87 (also for -infinity). NaN is not an allowed
/// argument.
SWITCHYARD_HOST_DEVICE float exp_nonpositive(float x) {
  const float power =
      exp_in_range(x);  // before the comparison: a branch would cost every lane more
  return x < -87.0F ? 0.0F : power;
}

/// The same for any x; exp(88) above 88.
SWITCHYARD_HOST_DEVICE float exp_reproducible(float x) {
  return exp_nonpositive(x > 88.0F ? 88.0F : x);
}

/// exponent * ln 2 + ln(1 + offset) for offset in [-1/3, 1/3]: 2 atanh(s), s = offset / (2 +
/// offset), as a series to s^11.
SWITCHYARD_HOST_DEVICE float log_of_parts(float exponent, float offset) {
  const float s = divide_rounded(offset, add_rounded(2.0F, offset));
  const float square = multiply_rounded(s, s);
  float p = 0.181818187F;
  p = multiply_add_rounded(p, square, 0.222222224F);
  p = multiply_add_rounded(p, square, 0.285714298F);
  p = multiply_add_rounded(p, square, 0.400000006F);
  p = multiply_add_rounded(p, square, 0.666666687F);
  const float small = multiply_add_rounded(multiply_rounded(p, square), s, add_rounded(s, s));
  return multiply_add_rounded(
      exponent, 0.693359375F, multiply_add_rounded(exponent, -2.12194440e-4F, small));
}

/// x as 2^exponent (1 + offset), offset in [-1/3, 1/3).
struct LogParts {
  float exponent;
  float offset;
};

SWITCHYARD_HOST_DEVICE LogParts log_parts(float x) {
  constexpr std::uint32_t kTwoThirds = 0x3F2AAAABU;
  const std::uint32_t above = bits_of_float(x) - kTwoThirds;
  const auto exponent = static_cast<std::int32_t>(above) >> 23;
  const float mantissa = float_of_bits((above & 0x007FFFFFU) + kTwoThirds);
  return {static_cast<float>(exponent), add_rounded(mantissa, -1.0F)};
}

/// ln(x) within 3 ulp for normal x > 0; meaningless elsewhere.
SWITCHYARD_HOST_DEVICE float log_reproducible(float x) {
  const LogParts parts = log_parts(x);
  return log_of_parts(parts.exponent, parts.offset);
}

/// ln(1 - x) within 3 ulp for 0 <= x < 1.
SWITCHYARD_HOST_DEVICE float log_one_minus(float x) {
  const LogParts parts = log_parts(subtract_rounded(1.0F, x));
  const bool is_small = x < 0.333333343F;  // 1 - x would lose the last bits of x
  return log_of_parts(is_small ? 0.0F : parts.exponent, is_small ? -x : parts.offset);
}

/// `value` limited to [lowest, highest]; NaN is not an allowed argument.
SWITCHYARD_HOST_DEVICE float limited(float value, float lowest, float highest) {
#if defined(__CUDA_ARCH__)
  return fminf(fmaxf(value, lowest), highest);
#else
  return value < lowest ? lowest : (value > highest ? highest : value);
#endif
}

/// Logistic function within 3 ulp for |x| <= 87; beyond, its value there: 1.6e-38 and 1, for the
/// infinities too. NaN is not an allowed argument.
SWITCHYARD_HOST_DEVICE float sigmoid_reproducible(float x) {
  return divide_rounded(1.0F, add_rounded(1.0F, exp_of_negative(limited(x, -87.0F, 87.0F))));
}

/// exp(x - top) for a valid logit x <= top, the largest of its row; equal infinities differ by 0.
SWITCHYARD_HOST_DEVICE float exp_below_top(float x, float top) {
  return exp_nonpositive(x == top ? 0.0F : subtract_rounded(x, top));
}

// ---- order keys: unsigned integers that compare like the rules above; 0 means "not valid"
// ---------

/// The bits of a number other than -0, mapped so that unsigned integers order like the numbers.
SWITCHYARD_HOST_DEVICE std::uint32_t ordered_bits(float number) {
  const std::uint32_t bits = bits_of_float(number);
  // The sign spread over the word inverts negative numbers; the top bit is always flipped.
  return bits ^ (static_cast<std::uint32_t>(static_cast<std::int32_t>(bits) >> 31) | 0x80000000U);
}

/// Whether a score can be chosen at all: false for NaN and -infinity.
SWITCHYARD_HOST_DEVICE bool is_valid_score(float score) {
  return score > -float_of_bits(0x7F800000U);
}

/// Key of a float score: larger score, larger key; equal scores (-0 and +0 too) share a key.
SWITCHYARD_HOST_DEVICE std::uint32_t order_key(float score) {
  const std::uint32_t key = ordered_bits(add_rounded(score, 0.0F));  // -0 becomes +0
  return is_valid_score(score) ? key : 0U;
}

/// The score whose key this is (key != 0); +0 for both zeros.
SWITCHYARD_HOST_DEVICE float score_of_order_key(std::uint32_t key) {
  return float_of_bits((key & 0x80000000U) != 0 ? key ^ 0x80000000U : ~key);
}

/// (score, expert) as one unique integer: the greatest is the winner under the rules. 0: not valid.
SWITCHYARD_HOST_DEVICE std::uint64_t selection_key(float score, std::uint32_t expert) {
  const std::uint32_t key = order_key(score);
  return key == 0 ? 0 : (static_cast<std::uint64_t>(key) << 32) | (0xFFFFFFFFU - expert);
}

SWITCHYARD_HOST_DEVICE std::uint32_t expert_of_selection_key(std::uint64_t key) {
  return 0xFFFFFFFFU - static_cast<std::uint32_t>(key);
}

/// The rule "sums" in place: `values[0]` becomes the sum of `values[0..count)`, the rest is spoilt.
/// The kernels' butterfly reductions produce the same bits for any padding with zeros.
SWITCHYARD_HOST_DEVICE float pairwise_sum(float* values, int count) {
  for (; count > 1; count = (count + 1) / 2) {
    for (int pair = 0; pair < count / 2; ++pair) {
      values[pair] = add_rounded(values[2 * pair], values[2 * pair + 1]);
    }
    if (count % 2 == 1) {
      values[count / 2] = values[count - 1];
    }
  }
  return count == 1 ? values[0] : 0.0F;
}

// ---- 16-bit logits
// -------------------------------------------------------------------------------

SWITCHYARD_HOST_DEVICE float float_of_bfloat16(std::uint32_t bits) {
  return float_of_bits(bits << 16);
}

/// Exact for every half, subnormals included (the product is exact, hence never flushed).
SWITCHYARD_HOST_DEVICE float float_of_half(std::uint32_t bits) {
  const std::uint32_t magnitude = bits & 0x7FFFU;
  const float scaled = multiply_rounded(float_of_bits(magnitude << 13), 5.192296858534828e+33F);
  const std::uint32_t finite = bits_of_float(scaled);
  const std::uint32_t value = magnitude >= 0x7C00U ? 0x7F800000U | (magnitude << 13) : finite;
  return float_of_bits(value | ((bits & 0x8000U) << 16));
}

}  // namespace switchyard
