// Device side of group-limited top-k with sigmoid scores (DeepSeek-V3, arXiv 2412.19437, section
// 2.1.2). One token a warp. A group lies in neighbouring lanes, each with up to kMostOfLane experts
// of it, so that ranking groups takes few shuffles. The bias decides the choice only; the scores
// without it wait in shared memory.
#pragma once

#include "kernels/device/selection_key.cuh"
#include "kernels/device/warp_top_k.cuh"
#include "kernels/routers/group_limited_top_k_launch.hpp"

namespace switchyard {

inline constexpr int kPiece = 4;  ///< neighbouring experts of a lane

/// Where a lane's experts lie: in pieces, and the lanes of a group take turns, so that each read of
/// a warp covers whole sectors.
struct GroupLane {
  int group_lane;  ///< the first lane of its group
  int first;       ///< the first expert of its first piece
  int stride;      ///< from one piece to the next, a power of two
  int left;        ///< experts of the group from `first` on; none if not positive
};

SWITCHYARD_DEVICE GroupLane find_group_lane(const GroupTopKArguments& arguments,
                                            int lanes,
                                            int lane) {
  const int width = arguments.experts / arguments.groups;
  const int group = lane / lanes;
  const int within = lane % lanes * kPiece;
  return {lane - lane % lanes,
          group * width + within,
          lanes * kPiece,
          group < arguments.groups ? width - within : 0};
}

template <typename Logit, int kPieces>
struct GroupLogits {
  static constexpr int kInWord = 4 / static_cast<int>(sizeof(Logit));
  static constexpr int kWordsOfPiece = kPiece / kInWord;

  std::uint32_t words[kPieces * kWordsOfPiece];

  SWITCHYARD_DEVICE float value(int item) const {
    if constexpr (kInWord == 1) {
      return float_of_bits(words[item]);
    } else {
      const std::uint32_t word = words[item / 2];
      return LogitFormat<Logit>::value(item % 2 == 0 ? word & 0xFFFFU : word >> 16);
    }
  }

  /// Not a number wherever nothing is loaded later.
  SWITCHYARD_DEVICE void clear() {
    SWITCHYARD_UNROLL
    for (int word = 0; word < kPieces * kWordsOfPiece; ++word) {
      words[word] = kNotANumberBits;
    }
  }

  template <bool kIsVector>
  SWITCHYARD_DEVICE void load(const Logit* row, const GroupLane& place) {
    SWITCHYARD_UNROLL
    for (int piece = 0; piece < kPieces; ++piece) {
      const int left = place.left - piece * place.stride;
      const Logit* const from = row + place.first + piece * place.stride;
      std::uint32_t* const to = words + piece * kWordsOfPiece;
      if constexpr (kIsVector) {
        if (left > 0) {
          load_piece(from, to);
        }
      } else {
        load_elements(from, left, to);
      }
    }
  }

 private:
  static SWITCHYARD_DEVICE void load_piece(const Logit* from, std::uint32_t* to) {
    if constexpr (kInWord == 1) {
      const uint4 loaded = *reinterpret_cast<const uint4*>(from);
      to[0] = loaded.x;
      to[1] = loaded.y;
      to[2] = loaded.z;
      to[3] = loaded.w;
    } else {
      const uint2 loaded = *reinterpret_cast<const uint2*>(from);
      to[0] = loaded.x;
      to[1] = loaded.y;
    }
  }

  static SWITCHYARD_DEVICE void load_elements(const Logit* from, int left, std::uint32_t* to) {
    SWITCHYARD_UNROLL
    for (int item = 0; item < kPiece; ++item) {
      if (item < left) {
        if constexpr (kInWord == 1) {
          to[item] = bits_of_float(from[item]);
        } else {
          const int shift = item % 2 * 16;
          to[item / 2] = (to[item / 2] & ~(0xFFFFU << shift)) |
                         static_cast<std::uint32_t>(from[item].bits) << shift;
        }
      }
    }
  }
};

/// The sigmoid scores of a warp's token, piece after piece of each lane, for the lanes that weigh
/// the choices.
struct GroupScores {
  float4 of_lane[kTopKWarps][kGroupTopKMostOfLane / kPiece][kWarpLanes];
};

/// Where make_biased_keys() left the score of an expert, as an index of floats.
SWITCHYARD_DEVICE int place_of_score(const GroupTopKArguments& arguments,
                                     const GroupLane& place,
                                     int expert) {
  const int width = arguments.experts / arguments.groups;
  const int group = expert / width;
  const int within = expert - group * width;
  const int piece_shift = __popc(static_cast<unsigned>(place.stride) - 1U);
  const int piece = within >> piece_shift;
  const int in_turn = within & (place.stride - 1);
  return piece * kWarpLanes * kPiece + group * place.stride + in_turn;
}

/// Keys of the biased sigmoid scores; 0 for NaN, -infinity and absent logits. Leaves the scores
/// themselves in `scores`.
template <typename Logit, int kPieces>
SWITCHYARD_DEVICE void make_biased_keys(const GroupLogits<Logit, kPieces>& logits,
                                        const GroupLogits<float, kPieces>& bias,
                                        const GroupLane& place,
                                        int lane,
                                        float4 (&scores)[kGroupTopKMostOfLane / kPiece][kWarpLanes],
                                        std::uint64_t (&keys)[kPieces * kPiece]) {
  SWITCHYARD_UNROLL
  for (int piece = 0; piece < kPieces; ++piece) {
    const int first = place.first + piece * place.stride;
    const std::uint32_t inverted = opaque(0xFFFFFFFFU - static_cast<std::uint32_t>(first));
    float own[kPiece];
    SWITCHYARD_UNROLL
    for (int item = 0; item < kPiece; ++item) {
      const int at = piece * kPiece + item;
      const float logit = logits.value(at);
      own[item] = sigmoid_reproducible(logit);
      // A sigmoid is never -0, so neither is the sum; a NaN gives a key that is not used.
      const std::uint32_t order = ordered_bits(add_rounded(own[item], bias.value(at)));
      const std::uint64_t key = join_words(order, inverted - static_cast<std::uint32_t>(item));
      keys[at] = is_valid_score(logit) ? key : 0;
    }
    scores[piece][lane] = float4{own[0], own[1], own[2], own[3]};
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

SWITCHYARD_DEVICE void write_choice(const GroupTopKArguments& arguments,
                                    const GroupLane& place,
                                    const float* scores,
                                    std::int64_t out,
                                    int lane,
                                    std::uint64_t chosen) {
  const bool is_chosen = lane < arguments.slots && chosen != 0;
  const auto expert = static_cast<std::int32_t>(expert_of_selection_key(chosen));
  const float score = is_chosen ? scores[place_of_score(arguments, place, expert)] : 0.0F;
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

/// Routes the tokens [first, end) of a warp.
template <typename Logit, int kMostOfLane, bool kIsVector>
SWITCHYARD_DEVICE void group_top_k_of_warp(const GroupTopKArguments& arguments,
                                           std::int32_t first,
                                           std::int32_t end) {
  constexpr int kPieces = kMostOfLane / kPiece;
  SWITCHYARD_SHARED(GroupScores, scores_of_warps);
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  auto& scores = scores_of_warps.of_lane[static_cast<int>(threadIdx.x) / kWarpLanes];
  const int lanes = lanes_of_group(arguments.groups);
  const GroupLane place = find_group_lane(arguments, lanes, lane);
  GroupLogits<float, kPieces> bias;
  GroupLogits<Logit, kPieces> logits;
  bias.clear();
  logits.clear();
  bias.template load<kIsVector>(arguments.bias, place);
  const Logit* row = static_cast<const Logit*>(arguments.logits) +
                     static_cast<std::int64_t>(first) * arguments.experts;
  std::int64_t out = static_cast<std::int64_t>(first) * arguments.slots + lane;
  for (std::int32_t token = first; token < end; ++token) {
    logits.template load<kIsVector>(row, place);
    std::uint64_t keys[kMostOfLane];
    make_biased_keys(logits, bias, place, lane, scores, keys);
    sort_descending(keys);
    const std::uint32_t key = group_key(keys, lanes, arguments.sums_best_two);
    const bool is_kept = is_group_kept(arguments.kept_groups, place.group_lane, key);
    SWITCHYARD_UNROLL
    for (int item = 0; item < kMostOfLane; ++item) {
      keys[item] = is_kept ? keys[item] : 0;
    }
    const auto selected = select_slots<kGroupTopKMaxSlots, kWarpLanes>(keys, arguments.slots, lane);
    __syncwarp();  // the scores are written
    write_choice(arguments, place, &scores[0][0].x, out, lane, selected.own);
    __syncwarp();  // and read
    row += arguments.experts;
    out += arguments.slots;
  }
}

/// The body of a kernel of kTopKWarps warps, as top_k_of_block().
template <typename Logit, int kMostOfLane>
SWITCHYARD_DEVICE void group_top_k_of_block(const GroupTopKArguments& arguments,
                                            std::int32_t block) {
  const auto warp = static_cast<std::int32_t>(threadIdx.x) / kWarpLanes;
  const std::int32_t first = (block * kTopKWarps + warp) * arguments.tokens_per_warp;
  const std::int32_t end = first + arguments.tokens_per_warp < arguments.tokens
                               ? first + arguments.tokens_per_warp
                               : arguments.tokens;
  if (arguments.has_vector_rows) {
    group_top_k_of_warp<Logit, kMostOfLane, true>(arguments, first, end);
  } else {
    group_top_k_of_warp<Logit, kMostOfLane, false>(arguments, first, end);
  }
}

}  // namespace switchyard
