// Device side of MoE++: a row of logits and the row carried over are added in registers, chosen
// from and weighed by softmax over all, in one launch; a second one empties choices beyond
// capacity.
#pragma once

#include "kernels/device/row_softmax.cuh"
#include "kernels/device/selection_key.cuh"
#include "kernels/device/warp_top_k.cuh"
#include "kernels/routers/moe_plus_plus_launch.hpp"

namespace switchyard {

/// Logits with the share of those before; NaN where there is no expert. Writes what is carried on.
template <typename Layout>
SWITCHYARD_DEVICE void add_residual(const PlusPlusArguments& arguments,
                                    std::int32_t token,
                                    int experts,
                                    int lane,
                                    float (&logits)[Layout::kPerLane]) {
  const std::int64_t row = static_cast<std::int64_t>(token) * arguments.experts;
  std::uint32_t words[Layout::kWords];
  load_row<Layout>(arguments.logits + row, experts, lane, arguments.has_vector_rows, words);
  logit_values<Layout, float>(words, logits);
  float before[Layout::kPerLane];
  if (arguments.before != nullptr) {
    load_row<Layout>(arguments.before + row, experts, lane, arguments.has_vector_rows, words);
    logit_values<Layout, float>(words, before);
  }
  SWITCHYARD_UNROLL
  for (int item = 0; item < Layout::kPerLane; ++item) {
    const float added =
        arguments.before == nullptr ? 0.0F : multiply_rounded(before[item], arguments.residual);
    logits[item] = add_rounded(logits[item], added);
    const int expert = Layout::expert(lane, item);
    if (expert < experts) {
      const bool is_finite = (bits_of_float(logits[item]) & 0x7F800000U) != 0x7F800000U;
      arguments.carried[row + expert] = is_finite ? logits[item] : 0.0F;
    }
  }
}

/// The tokens [first, first + RowLayout::kTokens) of a warp.
template <int kExpertTier, int kSlotTier>
SWITCHYARD_DEVICE void plus_plus_of_rows(const PlusPlusArguments& arguments, std::int32_t first) {
  using Layout = RowLayout<float, kExpertTier>;
  const int warp_lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const int lane = warp_lane % Layout::kLanes;
  const std::int32_t token = first + warp_lane / Layout::kLanes;
  const bool is_token = token < arguments.tokens;

  float logits[Layout::kPerLane];
  add_residual<Layout>(arguments, token, is_token ? arguments.experts : 0, lane, logits);
  std::uint64_t keys[Layout::kPerLane];
  SWITCHYARD_UNROLL
  for (int item = 0; item < Layout::kPerLane; ++item) {
    keys[item] =
        selection_key(logits[item], static_cast<std::uint32_t>(Layout::expert(lane, item)));
  }
  sort_descending(keys);
  const auto selected = select_slots<kSlotTier, Layout::kLanes>(keys, arguments.slots, lane);

  const float top = score_of<float>(selected.top);
  const float sum = full_softmax_sum<Layout>(logits, top);
  const bool is_chosen = lane < arguments.slots && selected.own != 0;
  const std::int32_t expert = is_chosen ? expert_of<float>(selected.own) : kAbsentExpert;
  const bool weighs = is_chosen && expert < arguments.first_zero;
  const float term = weighs ? exp_below_top(score_of<float>(selected.own), top) : 0.0F;
  const float probability = weighs ? divide_rounded(term, sum) : 0.0F;
  const float chosen = lanes_sum<kSlotTier>(probability);
  if (is_token && lane < arguments.slots) {
    const std::int64_t out = static_cast<std::int64_t>(token) * arguments.slots + lane;
    arguments.expert_ids[out] = expert;
    arguments.gate_weights[out] = chosen > 0.0F ? divide_rounded(probability, chosen) : probability;
  }
}

/// Body of a kernel of kPlusPlusWarps warps, each with one step of tokens.
template <int kExpertTier, int kSlotTier>
SWITCHYARD_DEVICE void plus_plus_of_block(const PlusPlusArguments& arguments) {
  const auto warp = static_cast<std::int32_t>(threadIdx.x) / kWarpLanes;
  const std::int32_t first = (static_cast<std::int32_t>(blockIdx.x) * kPlusPlusWarps + warp) *
                             RowLayout<float, kExpertTier>::kTokens;
  if (first < arguments.tokens) {
    plus_plus_of_rows<kExpertTier, kSlotTier>(arguments, first);
  }
}

/// Body of a kernel of kDropThreads threads, one choice each.
SWITCHYARD_DEVICE void drop_of_block(const DropArguments& arguments) {
  const auto choice = static_cast<std::int32_t>(blockIdx.x * kDropThreads + threadIdx.x);
  if (choice >= arguments.choices) {
    return;
  }
  const std::int32_t expert = arguments.expert_ids[choice];
  const std::int32_t room =
      expert < arguments.ordinary_experts ? arguments.ordinary_room : arguments.free_room;
  if (expert >= 0 && arguments.positions[choice] >= room) {
    arguments.expert_ids[choice] = kAbsentExpert;
    arguments.gate_weights[choice] = 0.0F;
  }
}

}  // namespace switchyard
