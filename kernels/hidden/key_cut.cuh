// Finds the place in a descending order of keys at which a count, or a sum of affinities, is
// reached without sorting: four rounds of 256 bins, from the highest byte down. One block.
#pragma once

#include "kernels/device/executor.cuh"
#include "kernels/hidden/resonance_launch.hpp"

namespace switchyard {

inline constexpr int kBins = 256;
inline constexpr int kBinsOfLane = kBins / kWarpLanes;

/// Where the measure of the keys, greatest first, reaches the target.
struct KeyCut {
  std::uint32_t key;
  std::int32_t count_before;      ///< keys above it
  unsigned long long sum_before;  ///< of their affinities
};

struct KeyBins {
  std::int32_t counts[kBins];
  unsigned long long sums[kBins];
  KeyCut cut;
};

/// The lane's bins are the next lower ones of the lane before; lane 0 has the highest.
SWITCHYARD_DEVICE int bin_of_lane(int lane, int item) {
  return kBins - 1 - (lane * kBinsOfLane + item);
}

/// One warp finds the bin in which the measure reaches `target`, and moves the cut there.
template <bool kIsSum>
SWITCHYARD_DEVICE void pick_bin(KeyBins& bins, unsigned long long target, int shift) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  std::int32_t own_count = 0;
  unsigned long long own_sum = 0;
  for (int item = 0; item < kBinsOfLane; ++item) {
    own_count += bins.counts[bin_of_lane(lane, item)];
    own_sum += bins.sums[bin_of_lane(lane, item)];
  }
  std::int32_t count = own_count;
  unsigned long long sum = own_sum;
  for (int distance = 1; distance < kWarpLanes; distance *= 2) {
    const std::int32_t lower_count =
        __shfl_up_sync(kFullWarp, count, static_cast<unsigned>(distance));
    const unsigned long long lower_sum =
        __shfl_up_sync(kFullWarp, sum, static_cast<unsigned>(distance));
    count += lane >= distance ? lower_count : 0;
    sum += lane >= distance ? lower_sum : 0;
  }
  KeyCut cut = bins.cut;
  cut.count_before += count - own_count;
  cut.sum_before += sum - own_sum;
  __syncwarp();
  const auto measure = [](const KeyCut& at) {
    return kIsSum ? at.sum_before : static_cast<unsigned long long>(at.count_before);
  };
  for (int item = 0; item < kBinsOfLane; ++item) {
    const int bin = bin_of_lane(lane, item);
    KeyCut after = cut;
    after.count_before += bins.counts[bin];
    after.sum_before += bins.sums[bin];
    if (measure(cut) < target && measure(after) >= target) {
      bins.cut = {
          cut.key | static_cast<std::uint32_t>(bin) << shift, cut.count_before, cut.sum_before};
    }
    cut = after;
  }
}

/// The cut of `keys` [count], of which 0 is none, at `target`, which is at least 1 and at most
/// their measure: their number, or, if kIsSum, their sum as affinities. All threads call and get
/// it.
template <bool kIsSum>
SWITCHYARD_DEVICE KeyCut find_cut(const std::uint32_t* keys,
                                  std::int32_t count,
                                  unsigned long long target) {
  SWITCHYARD_SHARED(KeyBins, bins);
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  const auto threads = static_cast<std::int32_t>(blockDim.x);
  std::uint32_t prefix = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int bin = thread; bin < kBins; bin += threads) {
      bins.counts[bin] = 0;
      bins.sums[bin] = 0;
    }
    if (thread == 0 && shift == 24) {
      bins.cut = {0, 0, 0};
    }
    __syncthreads();
    for (std::int32_t at = thread; at < count; at += threads) {
      const std::uint32_t key = keys[at];
      // The bytes above this round's; two shifts, as one of 32 bits is undefined.
      const bool is_in_bin = key != 0 && (key >> shift >> 8) == prefix;
      if (is_in_bin) {
        const std::uint32_t bin = key >> shift & (kBins - 1);
        atomicAdd(&bins.counts[bin], 1);
        if constexpr (kIsSum) {
          const unsigned long long value = fixed_affinity(score_of_order_key(key));
          atomicAdd(&bins.sums[bin], value);
        }
      }
    }
    __syncthreads();
    if (thread < kWarpLanes) {
      pick_bin<kIsSum>(bins, target, shift);
    }
    __syncthreads();
    prefix = bins.cut.key >> shift;
  }
  const KeyCut cut = bins.cut;
  __syncthreads();
  return cut;
}

}  // namespace switchyard
