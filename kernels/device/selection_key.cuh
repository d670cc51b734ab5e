// Logits in registers to unique integers that carry the selection rules of router_math.cuh: the
// greater key wins, so a top-k needs integer maxima only. For 16-bit logits a key is one word,
// ordered logit << 16 | 0xFFFF - expert; for float logits it is two words, see selection_key().
#pragma once

#include "kernels/device/logit_row.cuh"

namespace switchyard {

/// How a logit format is ordered, and read back from a key.
template <typename Logit>
struct LogitFormat;

template <>
struct LogitFormat<Bfloat16> {
  using Key = std::uint32_t;
  static constexpr Key kGreatestInvalid = 0x007FFFFFU;  ///< ordered -infinity, with any expert
  static constexpr std::uint32_t kMinusInfinity = 0xFF80U;

  static SWITCHYARD_DEVICE float value(std::uint32_t bits) { return float_of_bfloat16(bits); }

  /// -0 becomes +0 and NaN becomes -infinity in both halves of `pair`; all else stays.
  static SWITCHYARD_DEVICE std::uint32_t canonical(std::uint32_t pair) {
#if defined(__CUDA_ARCH__)
    std::uint32_t result = 0;
    asm("{ .reg .b32 number;\n"
        "  max.bf16x2 number, %1, %2;\n"
        "  fma.rn.bf16x2 %0, number, %3, %4; }"
        : "=r"(result)
        : "r"(pair), "r"(0xFF80FF80U), "r"(0x3F803F80U), "r"(0U));
    return result;
#else
    return canonical_pair_by_bits(pair, kMinusInfinity);
#endif
  }

#if !defined(__CUDA_ARCH__)
  /// The same for both 16-bit formats; its infinity differs from one to the other.
  static std::uint32_t canonical_pair_by_bits(std::uint32_t pair, std::uint32_t minus_infinity) {
    std::uint32_t result = 0;
    for (int shift = 0; shift < 32; shift += 16) {
      const std::uint32_t bits = pair >> shift & 0xFFFFU;
      const std::uint32_t magnitude = bits & 0x7FFFU;
      const std::uint32_t number = magnitude == 0 ? 0U : bits;
      const bool is_nan = magnitude > (minus_infinity & 0x7FFFU);
      result |= (is_nan ? minus_infinity : number) << shift;
    }
    return result;
  }
#endif
};

template <>
struct LogitFormat<Half> {
  using Key = std::uint32_t;
  static constexpr Key kGreatestInvalid = 0x03FFFFFFU;
  static constexpr std::uint32_t kMinusInfinity = 0xFC00U;

  static SWITCHYARD_DEVICE float value(std::uint32_t bits) { return float_of_half(bits); }

  static SWITCHYARD_DEVICE std::uint32_t canonical(std::uint32_t pair) {
#if defined(__CUDA_ARCH__)
    std::uint32_t result = 0;
    asm("{ .reg .b32 number;\n"
        "  max.f16x2 number, %1, %2;\n"
        "  fma.rn.f16x2 %0, number, %3, %4; }"
        : "=r"(result)
        : "r"(pair), "r"(0xFC00FC00U), "r"(0x3C003C00U), "r"(0U));
    return result;
#else
    return LogitFormat<Bfloat16>::canonical_pair_by_bits(pair, kMinusInfinity);
#endif
  }
};

template <>
struct LogitFormat<float> {
  using Key = std::uint64_t;
  static constexpr Key kGreatestInvalid = 0;
};

/// Both halves to unsigned integers that order like the numbers.
SWITCHYARD_DEVICE std::uint32_t ordered_pair(std::uint32_t canonical) {
  const std::uint32_t negative = permute_bytes(canonical, 0, 0xBB99U);  // 0xFFFF where negative
  return canonical ^ (negative | 0x80008000U);
}

/// The keys of a lane's logits, in the order of RowLayout::expert.
template <typename Layout, typename Logit, typename Key>
SWITCHYARD_DEVICE void make_keys(const std::uint32_t (&words)[Layout::kWords],
                                 int lane,
                                 Key (&keys)[Layout::kPerLane]) {
  if constexpr (sizeof(Logit) == 2) {
    SWITCHYARD_UNROLL
    for (int word = 0; word < Layout::kWords; ++word) {
      const std::uint32_t ordered = ordered_pair(LogitFormat<Logit>::canonical(words[word]));
      const auto first = static_cast<std::uint32_t>(Layout::expert(lane, 2 * word));
      const std::uint32_t experts = 0xFFFEFFFFU - first * 0x00010001U;
      keys[2 * word] = permute_bytes(ordered, experts, 0x1054U);
      keys[2 * word + 1] = permute_bytes(ordered, experts, 0x3276U);
    }
  } else {
    SWITCHYARD_UNROLL
    for (int item = 0; item < Layout::kPerLane; ++item) {
      const float logit = float_of_bits(words[item]);
      const std::uint32_t ordered = ordered_bits(add_rounded(logit, 0.0F));  // -0 becomes +0
      const auto expert = static_cast<std::uint32_t>(Layout::expert(lane, item));
      keys[item] = is_valid_score(logit) ? join_words(ordered, 0xFFFFFFFFU - expert) : 0;
    }
  }
}

/// The logits themselves, in the same order.
template <typename Layout, typename Logit>
SWITCHYARD_DEVICE void logit_values(const std::uint32_t (&words)[Layout::kWords],
                                    float (&values)[Layout::kPerLane]) {
  SWITCHYARD_UNROLL
  for (int item = 0; item < Layout::kPerLane; ++item) {
    if constexpr (sizeof(Logit) == 2) {
      const std::uint32_t word = words[item / 2];
      values[item] = LogitFormat<Logit>::value(item % 2 == 0 ? word & 0xFFFFU : word >> 16);
    } else {
      values[item] = float_of_bits(words[item]);
    }
  }
}

template <typename Logit>
SWITCHYARD_DEVICE bool is_valid(typename LogitFormat<Logit>::Key key) {
  return key > LogitFormat<Logit>::kGreatestInvalid;
}

template <typename Logit>
SWITCHYARD_DEVICE int expert_of(typename LogitFormat<Logit>::Key key) {
  if constexpr (sizeof(Logit) == 2) {
    return static_cast<int>(0xFFFFU - (key & 0xFFFFU));
  } else {
    return static_cast<int>(expert_of_selection_key(key));
  }
}

/// The logit of a valid key, as float.
template <typename Logit>
SWITCHYARD_DEVICE float score_of(typename LogitFormat<Logit>::Key key) {
  const auto ordered = static_cast<std::uint32_t>(key >> (sizeof(Logit) == 2 ? 16 : 32));
  if constexpr (sizeof(Logit) == 2) {
    return LogitFormat<Logit>::value((ordered & 0x8000U) != 0 ? ordered ^ 0x8000U
                                                              : ~ordered & 0xFFFFU);
  } else {
    return score_of_order_key(ordered);
  }
}

}  // namespace switchyard
