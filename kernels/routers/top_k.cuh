// Device side of the softmax top-k router. Ladder: (1) K scans of a row with softmax over all
// experts, about 1400 warp instructions a token for 256 experts; (2) this one: integer keys, one
// sort inside each lane, one warp maximum a slot, and exponentials of the chosen logits only, about
// 200. Renormalised softmax over all experts equals softmax over the chosen ones, which needs no
// full row.
#pragma once

#include "kernels/device/row_softmax.cuh"
#include "kernels/device/selection_key.cuh"
#include "kernels/device/warp_top_k.cuh"
#include "kernels/routers/top_k_launch.hpp"

namespace switchyard {

/// Routes the tokens [first, first + RowLayout::kTokens) of a warp.
template <typename Logit, int kExpertTier, int kSlotTier>
SWITCHYARD_DEVICE void top_k_of_rows(const TopKArguments& arguments, std::int32_t first) {
  using Layout = RowLayout<Logit, kExpertTier>;
  using Key = typename LogitFormat<Logit>::Key;
  const int warp_lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const int lane = warp_lane % Layout::kLanes;
  const std::int32_t token = first + warp_lane / Layout::kLanes;
  const bool is_token = Layout::kTokens == 1 || token < arguments.tokens;
  const Logit* row = static_cast<const Logit*>(arguments.logits) +
                     static_cast<std::int64_t>(token) * arguments.experts;

  std::uint32_t words[Layout::kWords];
  load_row<Layout>(row, is_token ? arguments.experts : 0, lane, arguments.has_vector_rows, words);
  Key keys[Layout::kPerLane];
  make_keys<Layout, Logit>(words, lane, keys);
  sort_descending(keys);
  const auto selected = select_slots<kSlotTier, Layout::kLanes>(keys, arguments.slots, lane);

  const float top = score_of<Logit>(selected.top);
  const bool is_chosen = lane < arguments.slots && is_valid<Logit>(selected.own);
  const float term = is_chosen ? exp_below_top(score_of<Logit>(selected.own), top) : 0.0F;
  float sum = 0.0F;
  if (arguments.is_renormalised) {
    sum = lanes_sum<kSlotTier>(term);
  } else {  // the only reader of the whole row's values
    float values[Layout::kPerLane];
    logit_values<Layout, Logit>(words, values);
    sum = full_softmax_sum<Layout>(values, top);
  }
  if (is_token && lane < arguments.slots) {
    const std::int64_t out = static_cast<std::int64_t>(token) * arguments.slots + lane;
    arguments.expert_ids[out] = is_chosen ? expert_of<Logit>(selected.own) : kAbsentExpert;
    const float weight = multiply_rounded(divide_rounded(term, sum), arguments.scale);
    arguments.gate_weights[out] = is_chosen ? weight : 0.0F;
  }
}

/// Routes every token of block `block` of the plan: kTopKWarps * tokens_per_warp consecutive
/// tokens.
template <typename Logit, int kExpertTier, int kSlotTier>
SWITCHYARD_DEVICE void top_k_of_block(const TopKArguments& arguments, std::int32_t block) {
  const auto warp = static_cast<std::int32_t>(threadIdx.x) / kWarpLanes;
  const std::int32_t first = (block * kTopKWarps + warp) * arguments.tokens_per_warp;
  const std::int32_t end = first + arguments.tokens_per_warp < arguments.tokens
                               ? first + arguments.tokens_per_warp
                               : arguments.tokens;
  for (std::int32_t token = first; token < end; token += RowLayout<Logit, kExpertTier>::kTokens) {
    top_k_of_rows<Logit, kExpertTier, kSlotTier>(arguments, token);
  }
}

}  // namespace switchyard
