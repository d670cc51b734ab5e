// Scores from the experts' side: the scores that a policy (row_router.cuh) gives to each row of
// logits, written as a table [experts, tokens] in which an expert's tokens lie side by side. Tiles
// of eight tokens or more turn in shared memory, so that whole sectors are written.
#pragma once

#include "kernels/device/row_router.cuh"

namespace switchyard {

/// The rows after the experts have chosen: only those that took the token remain, weighed by score.
template <class Score>
struct TakenBy : Score {
  static SWITCHYARD_DEVICE float score(const RowArguments& arguments,
                                       const RowToken& row,
                                       std::int32_t expert,
                                       float logit) {
    const float score = Score::score(arguments, row, expert, logit);
    return is_taken(arguments.expert_thresholds[expert], score, row.token)
               ? score
               : float_of_bits(kNotANumberBits);
  }

  template <int kSlotTier>
  static SWITCHYARD_DEVICE float weigh(const RowArguments& /*arguments*/,
                                       const RowToken& /*row*/,
                                       const RowChoice& choice) {
    return choice.score;
  }
};

/// Tokens of a block.
template <int kExpertTier>
inline constexpr int kTableTokens = kExpertTier == 64 ? 16 : 8;

template <int kExpertTier>
struct ScoreTile {
  static constexpr int kStride = kExpertTier + 4;  ///< moves tokens to other banks
  float of[kTableTokens<kExpertTier>][kStride];
};

template <class Policy, int kExpertTier>
SWITCHYARD_DEVICE void fill_tile_row(const RowArguments& arguments,
                                     std::int32_t first,
                                     int step,
                                     ScoreTile<kExpertTier>& tile) {
  using Layout = RowLayout<float, kExpertTier>;
  const int warp_lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const int in_tile = step + warp_lane / Layout::kLanes;
  RowToken row = row_token<Layout>(arguments, first + in_tile);
  float scores[Layout::kPerLane];
  load_logits<Layout, true>(arguments, row.token, row.exists, row.lane, scores);
  if constexpr (Policy::kUsesSoftmax) {
    row.logits = softmax_of_row<Layout>(scores);
  }
  SWITCHYARD_UNROLL
  for (int chunk = 0; chunk < Layout::kChunks; ++chunk) {
    const int expert = Layout::expert(row.lane, chunk * Layout::kVector);
    float* const values = scores + chunk * Layout::kVector;
    SWITCHYARD_UNROLL
    for (int item = 0; item < Layout::kVector; ++item) {
      values[item] = score_of_expert<Policy>(arguments, row, expert + item, values[item]);
    }
    *reinterpret_cast<float4*>(&tile.of[in_tile][expert]) =
        float4{values[0], values[1], values[2], values[3]};
  }
}

/// Body of a kernel of kRowWarps warps; a block for every kTableTokens tokens.
template <class Policy, int kExpertTier>
SWITCHYARD_DEVICE void fill_table_of_block(const RowArguments& arguments) {
  constexpr int kTokens = kTableTokens<kExpertTier>;
  constexpr int kTokensOfWarp = RowLayout<float, kExpertTier>::kTokens;
  using Tile = ScoreTile<kExpertTier>;
  SWITCHYARD_SHARED(Tile, tile);
  const auto thread = static_cast<int>(threadIdx.x);
  const auto first = static_cast<std::int32_t>(blockIdx.x) * kTokens;
  for (int step = thread / kWarpLanes * kTokensOfWarp; step < kTokens;
       step += kRowWarps * kTokensOfWarp) {
    fill_tile_row<Policy, kExpertTier>(arguments, first, step, tile);
  }
  __syncthreads();
  for (int at = thread; at < kTokens * arguments.experts; at += kRowWarps * kWarpLanes) {
    const int expert = at / kTokens;
    const int in_tile = at % kTokens;
    if (first + in_tile < arguments.tokens) {
      arguments.table[static_cast<std::int64_t>(expert) * arguments.tokens + first + in_tile] =
          tile.of[in_tile][expert];
    }
  }
}

}  // namespace switchyard

#define SWITCHYARD_TABLE_KERNEL(experts, name, Policy)                   \
  SWITCHYARD_KERNEL(switchyard_##name##_table_e##experts,                \
                    ::switchyard::RowArguments,                          \
                    ::switchyard::kRowWarps* ::switchyard::kWarpLanes) { \
    ::switchyard::fill_table_of_block<Policy, experts>(arguments);       \
  }

/// The kernels that fill the table of router `name`, one for each size. Inside namespace
/// switchyard.
#define SWITCHYARD_SCORE_TABLE(name, Policy) \
  SWITCHYARD_TABLE_KERNEL(64, name, Policy)  \
  SWITCHYARD_TABLE_KERNEL(256, name, Policy) \
  SWITCHYARD_TABLE_KERNEL(1024, name, Policy)
