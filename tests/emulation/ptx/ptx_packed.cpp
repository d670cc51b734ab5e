#include "tests/emulation/ptx/ptx_packed.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

namespace switchyard {
namespace {

/// A 16-bit float format; both have the NaN that arithmetic makes, 0x7FFF.
struct SmallFloat {
  int precision = 0;           ///< bits of the significand, the hidden one included
  int least_exponent = 0;      ///< of the last bit of a subnormal
  std::uint32_t infinity = 0;  ///< its bits
};

constexpr SmallFloat kHalf{.precision = 11, .least_exponent = -24, .infinity = 0x7C00U};
constexpr SmallFloat kBfloat{.precision = 8, .least_exponent = -133, .infinity = 0x7F80U};
constexpr std::uint32_t kCanonicalNan = 0x7FFFU;

double decode(const SmallFloat& format, std::uint32_t bits) {
  const std::uint32_t magnitude = bits & 0x7FFFU;
  const double sign = (bits & 0x8000U) != 0 ? -1.0 : 1.0;
  if (magnitude > format.infinity) {
    return std::nan("");
  }
  if (magnitude == format.infinity) {
    return sign * HUGE_VAL;
  }
  const int fraction_bits = format.precision - 1;
  const std::uint32_t fraction = magnitude & ((1U << fraction_bits) - 1);
  const auto exponent = static_cast<int>(magnitude >> fraction_bits);
  const std::uint32_t significand = exponent == 0 ? fraction : fraction | 1U << fraction_bits;
  return sign * std::ldexp(significand, format.least_exponent + (exponent == 0 ? 0 : exponent - 1));
}

/// Rounds to nearest, ties to even.
std::uint32_t encode(const SmallFloat& format, double value) {
  if (std::isnan(value)) {
    return kCanonicalNan;
  }
  const std::uint32_t sign = std::signbit(value) ? 0x8000U : 0U;
  const double magnitude = std::fabs(value);
  if (magnitude == 0.0) {
    return sign;
  }
  int exponent = 0;
  if (std::isinf(magnitude)) {
    return sign | format.infinity;
  }
  std::frexp(magnitude, &exponent);
  const int last_bit = std::max(exponent - format.precision, format.least_exponent);
  const auto significand =
      static_cast<std::uint32_t>(std::nearbyint(std::ldexp(magnitude, -last_bit)));
  // Adding lets a carry out of the significand raise the exponent, up to infinity.
  const auto raised = static_cast<std::uint32_t>(last_bit - format.least_exponent);
  const std::uint32_t bits = significand + (raised << (format.precision - 1));
  return sign | std::min(bits, format.infinity);
}

double maximum(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) {
    return std::isnan(a) ? b : a;
  }
  return a > b || (a == b && !std::signbit(a)) ? a : b;
}

}  // namespace

std::uint64_t ptx_compute_packed(const PtxInstruction& instruction,
                                 std::span<const std::uint64_t> inputs) {
  const SmallFloat& format = instruction.type.kind == PtxKind::Float ? kHalf : kBfloat;
  std::uint64_t result = 0;
  for (unsigned shift = 0; shift < 32; shift += 16) {
    const auto value = [&](std::size_t input) {
      return decode(format, static_cast<std::uint32_t>(inputs[input] >> shift & 0xFFFFU));
    };
    double half = 0.0;
    if (instruction.opcode == PtxOpcode::Fma) {
      // The double holds the product exactly; the sum is rounded once more, which can differ from
      // the hardware only where the addend lies 2^-40 below the product.
      half = std::fma(value(0), value(1), value(2));
    } else if (instruction.opcode == PtxOpcode::Max) {
      half = maximum(value(0), value(1));
    } else {
      throw PtxError(fmt::format("ptx line {}: not known: {}", instruction.line, instruction.text));
    }
    result |= std::uint64_t{encode(format, half)} << shift;
  }
  return result;
}

}  // namespace switchyard
