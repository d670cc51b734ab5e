// How a warp holds rows of logits in registers. Rows are read as 16-byte vectors where their length
// and address allow; a row of a small model takes only some lanes, so that a warp works on several
// tokens at once.
#pragma once

#include "kernels/device/executor.cuh"
#include "kernels/device/logit_type.hpp"

namespace switchyard {

/// Registers of a row with room for `kExpertTier` experts (a power of two).
template <typename Logit, int kExpertTier>
struct RowLayout {
  static constexpr int kVector = 16 / static_cast<int>(sizeof(Logit));  ///< logits in one load
  /// Lanes of a token. Eight logits a lane keep several tokens of a small model in one warp.
  static constexpr int kLanes = kExpertTier / 8 < kWarpLanes ? kExpertTier / 8 : kWarpLanes;
  static constexpr int kChunks = kExpertTier / (kVector * kLanes);  ///< vectors held by a lane
  static constexpr int kPerLane = kVector * kChunks;                ///< logits held by a lane
  static constexpr int kTokens = kWarpLanes / kLanes;               ///< tokens of a warp
  static constexpr int kWords = 4 * kChunks;                        ///< 32-bit registers of a lane
  static_assert((kExpertTier & (kExpertTier - 1)) == 0 && kExpertTier >= 8, "tier");

  /// The expert whose logit lane `lane` of the token holds as its `item`-th.
  static SWITCHYARD_DEVICE int expert(int lane, int item) {
    return (item / kVector * kLanes + lane) * kVector + item % kVector;
  }
};

/// All-ones bits are a NaN in each format, hence "not valid": the filler behind the last expert.
inline constexpr std::uint32_t kNotANumberBits = 0xFFFFFFFFU;

template <typename Layout, typename Logit>
SWITCHYARD_DEVICE void load_vectors(const Logit* row,
                                    int experts,
                                    int lane,
                                    std::uint32_t (&words)[Layout::kWords]) {
  SWITCHYARD_UNROLL
  for (int chunk = 0; chunk < Layout::kChunks; ++chunk) {
    uint4 loaded{kNotANumberBits, kNotANumberBits, kNotANumberBits, kNotANumberBits};
    const int first = Layout::expert(lane, chunk * Layout::kVector);
    if (first < experts) {
      loaded = *reinterpret_cast<const uint4*>(row + first);
    }
    words[4 * chunk] = loaded.x;
    words[4 * chunk + 1] = loaded.y;
    words[4 * chunk + 2] = loaded.z;
    words[4 * chunk + 3] = loaded.w;
  }
}

template <typename Layout, typename Logit>
SWITCHYARD_DEVICE void load_elements(const Logit* row,
                                     int experts,
                                     int lane,
                                     std::uint32_t (&words)[Layout::kWords]) {
  constexpr int kInWord = 4 / static_cast<int>(sizeof(Logit));
  SWITCHYARD_UNROLL
  for (int word = 0; word < Layout::kWords; ++word) {
    words[word] = kNotANumberBits;
    SWITCHYARD_UNROLL
    for (int part = 0; part < kInWord; ++part) {
      const int expert = Layout::expert(lane, word * kInWord + part);
      if (expert < experts) {
        if constexpr (kInWord == 1) {
          words[word] = bits_of_float(row[expert]);
        } else {
          const std::uint32_t bits = row[expert].bits;
          const std::uint32_t kept = words[word] & (part == 0 ? 0xFFFF0000U : 0x0000FFFFU);
          words[word] = kept | bits << (16 * part);
        }
      }
    }
  }
}

/// Reads a token's row into `words`. `experts` is 0 for a token that does not exist;
/// `is_vector_row` says that its address and length are multiples of 16 bytes.
template <typename Layout, typename Logit>
SWITCHYARD_DEVICE void load_row(const Logit* row,
                                int experts,
                                int lane,
                                bool is_vector_row,
                                std::uint32_t (&words)[Layout::kWords]) {
  if (is_vector_row) {
    load_vectors<Layout>(row, experts, lane, words);
  } else {
    load_elements<Layout>(row, experts, lane, words);
  }
}

}  // namespace switchyard
