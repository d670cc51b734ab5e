// Device side of the experts' choice of Expert-Token Resonance. `bound` finds the quantile of the
// tokens' highest affinities and from it the least capacity; `choose` has a block for each expert,
// which finds how many of its candidates it keeps, and the score of the last of them, without
// sorting.
#pragma once

#include "kernels/hidden/key_cut.cuh"
#include "kernels/hidden/resonance_launch.hpp"

namespace switchyard {

/// Body of the first kernel; one block.
SWITCHYARD_DEVICE void resonance_bound_of_block(const ResonanceArguments& arguments) {
  const CapacityRule& rule = arguments.rule;
  // Keys in descending order: the rank-th lowest is this one from above.
  for (auto token = static_cast<std::int32_t>(threadIdx.x); token < rule.tokens;
       token += kResonanceThreads) {
    arguments.keys[token] = order_key(arguments.highest[token]);
  }
  __syncthreads();
  const KeyCut cut = find_cut<false>(
      arguments.keys, rule.tokens, static_cast<unsigned long long>(rule.tokens - rule.rank + 1));
  if (threadIdx.x == 0) {
    *arguments.least = least_capacity(rule, score_of_order_key(cut.key));
  }
}

/// The candidates of one expert.
struct ResonanceCandidates {
  std::int32_t expert;
  std::int32_t first;  ///< in `keys`, and in `sources` where there are some
  std::int32_t count;

  SWITCHYARD_DEVICE ResonanceCandidates(const ResonanceArguments& arguments, std::int32_t of_expert)
      : expert(of_expert) {
    const bool are_nominated = arguments.offsets != nullptr;
    first = are_nominated ? arguments.offsets[expert] : expert * arguments.rule.tokens;
    count = are_nominated ? arguments.offsets[expert + 1] - first : arguments.rule.tokens;
  }

  /// Where the `at`-th candidate stands in the tables [tokens, experts]; tokens ascend.
  SWITCHYARD_DEVICE std::int64_t cell(const ResonanceArguments& arguments, std::int32_t at) const {
    const std::int32_t token =
        arguments.offsets == nullptr ? at : arguments.sources[first + at] / arguments.slots;
    return static_cast<std::int64_t>(token) * arguments.experts + expert;
  }
};

struct CandidateTotals {
  std::int32_t count;
  unsigned long long sum;
};

/// Writes the candidates' keys and adds up those that are valid. All threads call and get it.
SWITCHYARD_DEVICE CandidateTotals measure_candidates(const ResonanceArguments& arguments,
                                                     const ResonanceCandidates& candidates) {
  SWITCHYARD_SHARED(CandidateTotals, totals);
  if (threadIdx.x == 0) {
    totals = {0, 0};
  }
  __syncthreads();
  CandidateTotals own{0, 0};
  for (auto at = static_cast<std::int32_t>(threadIdx.x); at < candidates.count;
       at += kResonanceThreads) {
    const float affinity = arguments.affinity[candidates.cell(arguments, at)];
    const std::uint32_t key = order_key(affinity);
    arguments.keys[candidates.first + at] = key;
    own.count += key == 0 ? 0 : 1;
    own.sum += key == 0 ? 0 : fixed_affinity(affinity);
  }
  atomicAdd(&totals.count, own.count);
  atomicAdd(&totals.sum, own.sum);
  __syncthreads();
  return totals;
}

/// The fewest candidates, best first, that hold the share theta of all affinity.
SWITCHYARD_DEVICE std::int32_t candidates_with_share(const ResonanceArguments& arguments,
                                                     const ResonanceCandidates& candidates,
                                                     const CandidateTotals& totals) {
  const std::uint64_t target = share_of_affinity(totals.sum, arguments.rule.theta);
  if (target == 0) {
    return 0;
  }
  const KeyCut cut = find_cut<true>(
      arguments.keys + candidates.first, candidates.count, static_cast<unsigned long long>(target));
  const std::uint64_t of_one = fixed_affinity(score_of_order_key(cut.key));
  const std::uint64_t missing = target - cut.sum_before;
  return cut.count_before + static_cast<std::int32_t>((missing + of_one - 1) / of_one);
}

struct WarpTallies {
  std::int32_t of_warp[kResonanceThreads / kWarpLanes];
};

/// Keeps the candidates above the cut, and the first `at_cut` of those at it.
SWITCHYARD_DEVICE void keep_candidates(const ResonanceArguments& arguments,
                                       const ResonanceCandidates& candidates,
                                       std::uint32_t cut,
                                       std::int32_t at_cut) {
  SWITCHYARD_SHARED(WarpTallies, tallies);
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  const unsigned lanes_below = (1U << (thread % kWarpLanes)) - 1U;
  std::int32_t before = 0;  // at the cut, in steps before this one
  for (std::int32_t step = 0; step < candidates.count; step += kResonanceThreads) {
    const std::int32_t at = step + thread;
    const std::uint32_t key = at < candidates.count ? arguments.keys[candidates.first + at] : 0U;
    const bool is_at_cut = key != 0 && key == cut;
    const unsigned equals = __ballot_sync(kFullWarp, is_at_cut ? 1 : 0);
    if (thread % kWarpLanes == 0) {
      tallies.of_warp[thread / kWarpLanes] = static_cast<std::int32_t>(__popc(equals));
    }
    __syncthreads();
    std::int32_t rank = before + static_cast<std::int32_t>(__popc(equals & lanes_below));
    for (std::int32_t warp = 0; warp < kResonanceThreads / kWarpLanes; ++warp) {
      rank += warp < thread / kWarpLanes ? tallies.of_warp[warp] : 0;
      before += tallies.of_warp[warp];
    }
    if (key > cut || (is_at_cut && rank < at_cut)) {
      const std::int64_t cell = candidates.cell(arguments, at);
      arguments.kept[cell] = arguments.scores[cell];
    }
    __syncthreads();
  }
}

/// Body of the second kernel; one block for each expert.
SWITCHYARD_DEVICE void resonance_choose_of_block(const ResonanceArguments& arguments) {
  const CapacityRule& rule = arguments.rule;
  const ResonanceCandidates candidates(arguments, static_cast<std::int32_t>(blockIdx.x));
  const CandidateTotals totals = measure_candidates(arguments, candidates);
  const std::int32_t least = rule.kind == ResonanceCapacity::Factor ? 0 : *arguments.least;
  const std::int32_t wanted = rule.kind == ResonanceCapacity::Adaptive
                                  ? candidates_with_share(arguments, candidates, totals)
                                  : 0;
  const std::int32_t capacity = expert_capacity(rule, least, wanted);
  KeyCut cut{0, 0, 0};  // below every valid key
  if (capacity < totals.count) {
    cut = find_cut<false>(arguments.keys + candidates.first,
                          candidates.count,
                          static_cast<unsigned long long>(capacity));
  }
  keep_candidates(arguments, candidates, cut.key, capacity - cut.count_before);
}

}  // namespace switchyard
