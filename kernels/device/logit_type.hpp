// The formats in which kernels read logits.
#pragma once

#include <cstdint>

namespace switchyard {

/// Storage format of a logit.
enum class LogitType : std::uint8_t { Float32, Bfloat16, Float16 };

/// As in the names of kernels.
constexpr const char* tag_of(LogitType type) {
  switch (type) {
    case LogitType::Bfloat16:
      return "bf16";
    case LogitType::Float16:
      return "f16";
    default:
      return "f32";
  }
}

/// A bfloat16 or IEEE half logit in memory; device code works on the bits.
struct Bfloat16 {
  std::uint16_t bits;
};

struct Half {
  std::uint16_t bits;
};

template <typename Logit>
inline constexpr LogitType kLogitTypeOf = LogitType::Float32;
template <>
inline constexpr LogitType kLogitTypeOf<Bfloat16> = LogitType::Bfloat16;
template <>
inline constexpr LogitType kLogitTypeOf<Half> = LogitType::Float16;

}  // namespace switchyard
