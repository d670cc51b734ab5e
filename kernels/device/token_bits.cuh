// Random numbers of a token from a key and an index, for host and device code: integer arithmetic,
// exact conversions and router_math.cuh only, hence the same bits everywhere.
#pragma once

#include "core/numbers/mix_bits.hpp"
#include "kernels/device/router_math.cuh"

namespace switchyard {

/// Mean 0, variance 1, a sum of twelve 16-bit uniform numbers: normal but for tails beyond 6.
SWITCHYARD_HOST_DEVICE float normal_of(std::uint64_t key, std::uint64_t index) {
  std::int32_t sum = -12 * 65535 / 2;
  for (std::uint64_t part = 0; part < 3; ++part) {
    const std::uint64_t bits = mix_bits(key, 3 * index + part);
    sum += static_cast<std::int32_t>((bits & 0xFFFFU) + (bits >> 16U & 0xFFFFU) +
                                     (bits >> 32U & 0xFFFFU) + (bits >> 48U));
  }
  return multiply_rounded(static_cast<float>(sum), 0x1p-16F);
}

/// Minus an exponentially distributed number of mean 1: ln(1 - u) for u uniform in [0, 1), with
/// the resolution of a float near 0 too.
SWITCHYARD_HOST_DEVICE float log_lot_of(std::uint64_t key, std::uint64_t index) {
  const auto bits = static_cast<float>(mix_bits(key, index));
  const float u = multiply_rounded(bits, 0x1p-64F);
  return log_one_minus(limited(u, 0.0F, 1.0F - 0x1p-24F));
}

}  // namespace switchyard
