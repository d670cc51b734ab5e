// One block for each row: the key of the last token taken is found byte by byte from histograms,
// then the tokens that tie with it are counted off in order. Deterministic: atomics only count.
#include "kernels/device/kernel.cuh"
#include "kernels/device/token_thresholds.hpp"

namespace switchyard {

inline constexpr int kBuckets = 256;
inline constexpr int kThresholdWarps = kThresholdThreads / kWarpLanes;
inline constexpr std::uint32_t kTakesNone = 0xFFFFFFFFU;

struct Histogram {
  std::int32_t count[kBuckets];
};

/// Where a search stands: keys that agree with `key` in its upper bytes are still candidates, the
/// best `wanted` of them are to be taken.
struct Search {
  std::uint32_t key;
  std::int32_t wanted;
  bool takes_all;  ///< there are no more valid tokens than wanted
};

struct ThresholdCounts {
  std::int32_t of_warp[kThresholdWarps];
};

SWITCHYARD_DEVICE void count_candidates(
    const float* row, std::int32_t tokens, const Search& search, int shift, Histogram& histogram) {
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  histogram.count[thread] = 0;
  __syncthreads();
  const std::uint32_t upper = shift == 24 ? 0U : 0xFFFFFFFFU << (shift + 8);
  for (std::int32_t token = thread; token < tokens; token += kThresholdThreads) {
    const std::uint32_t key = order_key(row[token]);
    if (key != 0 && ((key ^ search.key) & upper) == 0) {
      atomicAdd(&histogram.count[key >> shift & 0xFFU], 1);
    }
  }
  __syncthreads();
}

/// Narrows the search to the bucket in which the last token taken lies. Every warp does the same.
SWITCHYARD_DEVICE void narrow(const Histogram& histogram, int shift, Search& search) {
  constexpr int kOfLane = kBuckets / kWarpLanes;
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  // Lane 0 has the greatest buckets.
  std::int32_t own[kOfLane];
  std::int32_t sum = 0;
  for (int item = 0; item < kOfLane; ++item) {
    own[item] = histogram.count[kBuckets - 1 - lane * kOfLane - item];
    sum += own[item];
  }
  std::int32_t up_to_here = sum;
  for (int distance = 1; distance < kWarpLanes; distance *= 2) {
    const std::int32_t other =
        __shfl_up_sync(kFullWarp, up_to_here, static_cast<unsigned>(distance));
    up_to_here += lane >= distance ? other : 0;
  }
  const unsigned reached = __ballot_sync(kFullWarp, up_to_here >= search.wanted ? 1 : 0);
  if (reached == 0) {
    search.takes_all = true;
    return;
  }
  std::int32_t above = up_to_here - sum;
  int bucket = kBuckets - 1 - lane * kOfLane;
  for (int item = 0; item + 1 < kOfLane; ++item) {
    const bool is_below = above + own[item] < search.wanted;
    above += is_below ? own[item] : 0;
    bucket -= is_below ? 1 : 0;
    if (!is_below) {
      break;
    }
  }
  const int winner = __popc(~reached & (reached - 1U));  // the lowest lane that reached it
  search.wanted -= __shfl_sync(kFullWarp, above, winner);
  search.key |= static_cast<std::uint32_t>(__shfl_sync(kFullWarp, bucket, winner)) << shift;
}

/// The token of the `wanted`-th tie, in token order; one thread of the block writes it.
SWITCHYARD_DEVICE void find_last_tie(const float* row,
                                     std::int32_t tokens,
                                     const Search& search,
                                     TokenThreshold& threshold) {
  SWITCHYARD_SHARED(ThresholdCounts, counts);
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  const std::int32_t warp = thread / kWarpLanes;
  const unsigned lanes_below = (1U << (thread % kWarpLanes)) - 1U;
  std::int32_t seen = 0;
  for (std::int32_t first = 0; seen < search.wanted; first += kThresholdThreads) {
    const std::int32_t token = first + thread;
    const bool ties = token < tokens && order_key(row[token]) == search.key;
    const unsigned peers = __ballot_sync(kFullWarp, ties ? 1 : 0);
    counts.of_warp[warp] = __popc(peers);
    __syncthreads();
    std::int32_t before = seen;
    for (std::int32_t other = 0; other < kThresholdWarps; ++other) {
      before += other < warp ? counts.of_warp[other] : 0;
      seen += counts.of_warp[other];
    }
    if (ties && before + __popc(peers & lanes_below) == search.wanted - 1) {
      threshold.last_token = token;
    }
    __syncthreads();
  }
}

SWITCHYARD_KERNEL(switchyard_token_thresholds, ThresholdArguments, kThresholdThreads) {
  SWITCHYARD_SHARED(Histogram, histogram);
  const auto row_index = static_cast<std::int32_t>(blockIdx.x);
  const float* const row =
      arguments.table + static_cast<std::int64_t>(row_index) * arguments.tokens;
  TokenThreshold& threshold = arguments.thresholds[row_index];
  Search search{0, arguments.capacity[row_index], false};
  const bool takes_none = search.wanted <= 0;
  for (int shift = 24; shift >= 0 && !search.takes_all && !takes_none; shift -= 8) {
    count_candidates(row, arguments.tokens, search, shift, histogram);
    narrow(histogram, shift, search);
    __syncthreads();
  }
  const bool has_last = !takes_none && !search.takes_all;
  if (threadIdx.x == 0) {
    threshold.key = takes_none ? kTakesNone : search.key;
    threshold.last_token = -1;
  }
  __syncthreads();
  if (has_last) {
    find_last_tie(row, arguments.tokens, search, threshold);
  }
}

}  // namespace switchyard
