// The kernel frame of routers that choose row by row: load a row, score each expert, take the best
// slots, weigh them. A router derives a policy from RowPolicy, hides the members in which it
// differs, and names its kernels with SWITCHYARD_ROW_ROUTER(name, Policy).
#pragma once

#include "kernels/device/kernel.cuh"
#include "kernels/device/row_router.hpp"
#include "kernels/device/row_softmax.cuh"
#include "kernels/device/selection_key.cuh"
#include "kernels/device/warp_top_k.cuh"

namespace switchyard {

/// What a policy knows of the token at hand.
struct RowToken {
  std::int32_t token;  ///< of idle lanes the last one
  bool exists;         ///< false in idle lanes: nothing may be written
  int lane;            ///< among the lanes of the token; it holds the choice of this slot
  int lanes;           ///< neighbouring lanes that share the token
  RowSoftmax logits;   ///< of the whole row of logits, where kUsesSoftmax says so
};

/// A lane's choice.
struct RowChoice {
  std::int32_t expert;
  float score;     ///< that it was chosen by
  float best;      ///< the score of slot 0
  float weight;    ///< +0 where nothing was chosen
  bool is_chosen;  ///< false: kAbsentExpert is written
};

/// Softmax top-k; a policy hides what it does otherwise.
struct RowPolicy {
  static constexpr bool kReadsLogits = true;
  static constexpr bool kUsesSoftmax = false;

  /// The score of an expert; NaN and -infinity: never chosen. `logit` is NaN if none are read.
  static SWITCHYARD_DEVICE float score(const RowArguments& /*arguments*/,
                                       const RowToken& /*row*/,
                                       std::int32_t /*expert*/,
                                       float logit) {
    return logit;
  }

  /// The weight of a choice, before any other lane's is known. All lanes of the warp call it.
  template <int kSlotTier>
  static SWITCHYARD_DEVICE float weigh(const RowArguments& /*arguments*/,
                                       const RowToken& /*row*/,
                                       const RowChoice& choice) {
    const float term = choice.is_chosen ? exp_below_top(choice.score, choice.best) : 0.0F;
    return divide_rounded(term, lanes_sum<kSlotTier>(term));
  }

  /// What remains to be done when all weights are known. All lanes of the warp call it.
  template <int kSlotTier>
  static SWITCHYARD_DEVICE void finish(const RowArguments& /*arguments*/,
                                       const RowToken& /*row*/,
                                       RowChoice& /*choice*/) {}
};

/// The token of a lane and its place in it.
template <typename Layout>
SWITCHYARD_DEVICE RowToken row_token(const RowArguments& arguments, std::int32_t token) {
  const int lane = static_cast<int>(threadIdx.x) % Layout::kLanes;
  const bool exists = token < arguments.tokens;
  const std::int32_t last = arguments.tokens - 1;
  return {exists ? token : last, exists, lane, Layout::kLanes, RowSoftmax{0.0F, 0.0F}};
}

/// The policy's score, or NaN where there is no such expert. Without branches: all lanes go the
/// same way.
template <class Policy>
SWITCHYARD_DEVICE float score_of_expert(const RowArguments& arguments,
                                        const RowToken& row,
                                        std::int32_t expert,
                                        float logit) {
  const bool is_expert = row.exists && expert < arguments.experts;
  const float score = Policy::score(arguments, row, is_expert ? expert : 0, logit);
  return is_expert ? score : float_of_bits(kNotANumberBits);
}

/// Divides the weights of a token by their sum, unless that is 0: normalise_row() of the CPU.
template <int kSlotTier>
SWITCHYARD_DEVICE void normalise_choices(const RowToken& row, RowChoice& choice) {
  const float sum = lanes_sum<kSlotTier>(row.lane < kSlotTier ? choice.weight : 0.0F);
  choice.weight = sum > 0.0F ? divide_rounded(choice.weight, sum) : choice.weight;
}

/// Leaves the second of two choices out, so that the first weighs 1. All lanes of the warp call it.
SWITCHYARD_DEVICE void drop_second(const RowToken& row, bool drops, RowChoice& choice) {
  const int second_drops = __shfl_sync(kFullWarp, drops && choice.is_chosen ? 1 : 0, 1, row.lanes);
  if (second_drops != 0 && row.lane < 2) {
    choice.is_chosen = row.lane == 0;
    choice.weight = row.lane == 0 ? 1.0F : 0.0F;
  }
}

/// The logit of a choice whose score is another number.
SWITCHYARD_DEVICE float logit_of_choice(const RowArguments& arguments,
                                        const RowToken& row,
                                        const RowChoice& choice) {
  return choice.is_chosen
             ? arguments
                   .logits[static_cast<std::int64_t>(row.token) * arguments.experts + choice.expert]
             : 0.0F;
}

/// The tokens [first, first + RowLayout::kTokens) of a warp.
template <class Policy, int kExpertTier, int kSlotTier>
SWITCHYARD_DEVICE void route_rows(const RowArguments& arguments, std::int32_t first) {
  using Layout = RowLayout<float, kExpertTier>;
  const int warp_lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  RowToken row = row_token<Layout>(arguments, first + warp_lane / Layout::kLanes);

  float scores[Layout::kPerLane];
  load_logits<Layout, Policy::kReadsLogits>(arguments, row.token, row.exists, row.lane, scores);
  if constexpr (Policy::kUsesSoftmax) {
    row.logits = softmax_of_row<Layout>(scores);
  }
  std::uint64_t keys[Layout::kPerLane];
  SWITCHYARD_UNROLL
  for (int item = 0; item < Layout::kPerLane; ++item) {
    const int expert = Layout::expert(row.lane, item);
    scores[item] = score_of_expert<Policy>(arguments, row, expert, scores[item]);
    keys[item] = selection_key(scores[item], static_cast<std::uint32_t>(expert));
  }
  sort_descending(keys);
  const auto selected = select_slots<kSlotTier, Layout::kLanes>(keys, arguments.slots, row.lane);

  RowChoice choice{kAbsentExpert,
                   0.0F,
                   score_of<float>(selected.top),
                   0.0F,
                   row.lane < arguments.slots && selected.own != 0};
  if (choice.is_chosen) {
    choice.expert = expert_of<float>(selected.own);
    choice.score = score_of<float>(selected.own);
  }
  const float weight = Policy::template weigh<kSlotTier>(arguments, row, choice);
  choice.weight = choice.is_chosen ? weight : 0.0F;
  Policy::template finish<kSlotTier>(arguments, row, choice);
  if (row.exists && row.lane < arguments.slots) {
    const std::int64_t out = static_cast<std::int64_t>(row.token) * arguments.slots + row.lane;
    arguments.expert_ids[out] = choice.is_chosen ? choice.expert : kAbsentExpert;
    arguments.gate_weights[out] = choice.weight;
  }
}

/// Body of a kernel of kRowWarps warps.
template <class Policy, int kExpertTier, int kSlotTier>
SWITCHYARD_DEVICE void route_rows_of_block(const RowArguments& arguments) {
  const auto warp = static_cast<std::int32_t>(threadIdx.x) / kWarpLanes;
  const std::int32_t first =
      (static_cast<std::int32_t>(blockIdx.x) * kRowWarps + warp) * arguments.tokens_per_warp;
  const std::int32_t left = arguments.tokens - first;
  const std::int32_t end =
      first + (arguments.tokens_per_warp < left ? arguments.tokens_per_warp : left);
  for (std::int32_t token = first; token < end; token += RowLayout<float, kExpertTier>::kTokens) {
    route_rows<Policy, kExpertTier, kSlotTier>(arguments, token);
  }
}

}  // namespace switchyard

#define SWITCHYARD_ROW_KERNEL(experts, slots, name, Policy)                   \
  SWITCHYARD_WIDE_KERNEL(switchyard_##name##_e##experts##_k##slots,           \
                         ::switchyard::RowArguments,                          \
                         ::switchyard::kRowWarps* ::switchyard::kWarpLanes) { \
    ::switchyard::route_rows_of_block<Policy, experts, slots>(arguments);     \
  }

/// The kernels of router `name`, one for each size. Inside namespace switchyard.
#define SWITCHYARD_ROW_ROUTER(name, Policy) \
  SWITCHYARD_ROW_SIZES(SWITCHYARD_ROW_KERNEL, name, Policy)
