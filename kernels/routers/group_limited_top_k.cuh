// Device side of group-limited top-k with sigmoid scores (DeepSeek-V3, arXiv 2412.19437, section
// 2.1.2). One token a warp. A group lies in neighbouring lanes, each with up to kMostOfLane
// consecutive experts of it, so that ranking groups takes few shuffles. The bias decides the choice
// only; weights are computed again from the chosen logits, which costs less than carrying them
// along.
#pragma once

#include "kernels/device/selection_key.cuh"
#include "kernels/device/warp_top_k.cuh"
#include "kernels/routers/group_limited_top_k_launch.hpp"

namespace switchyard {

SWITCHYARD_DEVICE float logit_value(float logit) {
  return logit;
}

SWITCHYARD_DEVICE float logit_value(Bfloat16 logit) {
  return float_of_bfloat16(logit.bits);
}

SWITCHYARD_DEVICE float logit_value(Half logit) {
  return float_of_half(logit.bits);
}

/// Where a lane's experts lie.
struct GroupLane {
  int first;       ///< its first expert
  int count;       ///< its experts
  int group_lane;  ///< the first lane of its group
};

SWITCHYARD_DEVICE GroupLane find_group_lane(const GroupTopKArguments& arguments,
                                            int lanes,
                                            int lane) {
  const int width = arguments.experts / arguments.groups;
  const int of_lane = (width + lanes - 1) / lanes;
  const int group = lane / lanes;
  const int within = lane % lanes * of_lane;
  const int left = group < arguments.groups ? width - within : 0;
  const int at_most = left < of_lane ? left : of_lane;
  return {group * width + within, at_most > 0 ? at_most : 0, lane - lane % lanes};
}

/// Reads `kCount` consecutive values as 16-byte vectors, or those that exist one by one.
template <int kCount, typename Logit>
SWITCHYARD_DEVICE void load_values(
    const Logit* from, int count, bool is_vector, float absent, float (&values)[kCount]) {
  constexpr int kVector = 16 / static_cast<int>(sizeof(Logit));
  if constexpr (kCount % kVector == 0) {
    if (is_vector) {
      SWITCHYARD_UNROLL
      for (int first = 0; first < kCount; first += kVector) {
        const uint4 loaded = *reinterpret_cast<const uint4*>(from + first);
        const std::uint32_t words[4] = {loaded.x, loaded.y, loaded.z, loaded.w};
        SWITCHYARD_UNROLL
        for (int item = 0; item < kVector; ++item) {
          if constexpr (sizeof(Logit) == 4) {
            values[first + item] = float_of_bits(words[item]);
          } else {
            const std::uint32_t word = words[item / 2];
            const std::uint32_t bits = item % 2 == 0 ? word & 0xFFFFU : word >> 16;
            values[first + item] = LogitFormat<Logit>::value(bits);
          }
        }
      }
      return;
    }
  }
  SWITCHYARD_UNROLL
  for (int item = 0; item < kCount; ++item) {
    values[item] = item < count ? logit_value(from[item]) : absent;
  }
}

/// Keys of the biased sigmoid scores; 0 for NaN, -infinity and absent logits.
template <int kCount>
SWITCHYARD_DEVICE void make_biased_keys(const float (&logits)[kCount],
                                        const float (&bias)[kCount],
                                        int first_expert,
                                        std::uint64_t (&keys)[kCount]) {
  const std::uint32_t inverted_first =
      opaque(0xFFFFFFFFU - static_cast<std::uint32_t>(first_expert));
  SWITCHYARD_UNROLL
  for (int item = 0; item < kCount; ++item) {
    // A sigmoid is never -0, so neither is the sum; a NaN gives a key that is not used.
    const float biased = add_rounded(sigmoid_reproducible(logits[item]), bias[item]);
    const std::uint32_t inverted_expert = inverted_first - static_cast<std::uint32_t>(item);
    const std::uint64_t key = join_words(ordered_bits(biased), inverted_expert);
    keys[item] = is_valid_score(logits[item]) ? key : 0;
  }
}

/// The order key of the score of the lane's group, from the lanes' sorted keys.
template <int kCount>
SWITCHYARD_DEVICE std::uint32_t group_key(const std::uint64_t (&keys)[kCount],
                                          int lanes,
                                          bool sums_best_two) {
  std::uint32_t best = high_word(keys[0]);
  std::uint32_t second = high_word(keys[1]);
  for (int distance = 1; distance < lanes; distance *= 2) {
    const std::uint32_t other_best = __shfl_xor_sync(kFullWarp, best, distance);
    const std::uint32_t other_second = __shfl_xor_sync(kFullWarp, second, distance);
    const std::uint32_t lesser = best < other_best ? best : other_best;
    const std::uint32_t seconds = second > other_second ? second : other_second;
    best = best > other_best ? best : other_best;
    second = lesser > seconds ? lesser : seconds;
  }
  if (!sums_best_two || second == 0) {
    return best;  // a second best that is missing adds nothing
  }
  return ordered_bits(add_rounded(score_of_order_key(best), score_of_order_key(second)));
}

/// Whether the lane's group is among the kept ones; of equal groups the lower wins.
SWITCHYARD_DEVICE bool is_group_kept(int kept_groups, int own_group_lane, std::uint32_t key) {
  const unsigned lanes_before_group = (1U << own_group_lane) - 1U;
  bool is_kept = false;
  for (int round = 0; round < kept_groups; ++round) {
    const std::uint32_t best = __reduce_max_sync(kFullWarp, key);
    const unsigned equals = __ballot_sync(kFullWarp, key == best ? 1 : 0);
    const bool is_winner = key == best && (equals & lanes_before_group) == 0;
    is_kept = is_kept || is_winner;
    key = is_winner ? 0U : key;
  }
  return is_kept;
}

template <typename Logit>
SWITCHYARD_DEVICE void write_choice(const GroupTopKArguments& arguments,
                                    const Logit* row,
                                    std::int64_t out,
                                    int lane,
                                    std::uint64_t chosen) {
  const bool is_chosen = lane < arguments.slots && chosen != 0;
  const auto expert = static_cast<std::int32_t>(expert_of_selection_key(chosen));
  const float logit = is_chosen ? logit_value(row[expert]) : 0.0F;
  const float score = is_chosen ? sigmoid_reproducible(logit) : 0.0F;
  float weight = score;
  if (arguments.is_renormalised) {
    const float sum = lanes_sum<kGroupTopKMaxSlots>(score);
    weight = sum > 0.0F ? divide_rounded(score, sum) : score;
  }
  if (lane < arguments.slots) {
    arguments.expert_ids[out] = is_chosen ? expert : kAbsentExpert;
    arguments.gate_weights[out] = multiply_rounded(weight, arguments.scale);
  }
}

/// The body of a kernel of kTopKWarps warps, as top_k_of_block().
template <typename Logit, int kMostOfLane>
SWITCHYARD_DEVICE void group_top_k_of_block(const GroupTopKArguments& arguments,
                                            std::int32_t block) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const auto warp = static_cast<std::int32_t>(threadIdx.x) / kWarpLanes;
  const int lanes = lanes_of_group(arguments.groups);
  const GroupLane place = find_group_lane(arguments, lanes, lane);
  const std::int32_t first = (block * kTopKWarps + warp) * arguments.tokens_per_warp;
  const std::int32_t end = first + arguments.tokens_per_warp < arguments.tokens
                               ? first + arguments.tokens_per_warp
                               : arguments.tokens;
  float bias[kMostOfLane];
  load_values(arguments.bias + place.first, place.count, arguments.has_vector_rows, 0.0F, bias);
  const Logit* row = static_cast<const Logit*>(arguments.logits) +
                     static_cast<std::int64_t>(first) * arguments.experts;
  std::int64_t out = static_cast<std::int64_t>(first) * arguments.slots + lane;
  for (std::int32_t token = first; token < end; ++token) {
    float logits[kMostOfLane];
    load_values(row + place.first,
                place.count,
                arguments.has_vector_rows,
                float_of_bits(kNotANumberBits),
                logits);
    std::uint64_t keys[kMostOfLane];
    make_biased_keys(logits, bias, place.first, keys);
    sort_descending(keys);
    const std::uint32_t key = group_key(keys, lanes, arguments.sums_best_two);
    const bool is_kept = is_group_kept(arguments.kept_groups, place.group_lane, key);
    SWITCHYARD_UNROLL
    for (int item = 0; item < kMostOfLane; ++item) {
      keys[item] = is_kept ? keys[item] : 0;
    }
    const auto selected = select_slots<kGroupTopKMaxSlots, kWarpLanes>(keys, arguments.slots, lane);
    write_choice(arguments, row, out, lane, selected.own);
    row += arguments.experts;
    out += arguments.slots;
  }
}

}  // namespace switchyard
