// Top-k of a row whose keys lie in the registers of one or several lanes: each lane sorts its own
// keys once, then every slot takes the greatest head of all lanes, which its owner pops. Keys are
// unique (see selection_key.cuh), so ties need no further care; the key 0 fills exhausted lanes.
#pragma once

#include "kernels/device/executor.cuh"

namespace switchyard {

template <typename Key>
SWITCHYARD_DEVICE void order_descending(Key& a, Key& b) {
  const Key greater = a > b ? a : b;
  b = a > b ? b : a;
  a = greater;
}

/// Batcher's odd-even merge sort, unrolled: 19 comparators for 8 keys, 63 for 16, 191 for 32.
/// What the caller does not read of the result is not computed.
template <int kCount, typename Key>
SWITCHYARD_DEVICE void sort_descending(Key (&keys)[kCount]) {
  SWITCHYARD_UNROLL
  for (int run = 1; run < kCount; run *= 2) {
    SWITCHYARD_UNROLL
    for (int distance = run; distance > 0; distance /= 2) {
      SWITCHYARD_UNROLL
      for (int low = 0; low < kCount; ++low) {
        const int offset = low - distance % run;
        const bool is_low_end = offset >= 0 && offset / distance % 2 == 0;
        const int high = low + distance;
        const bool is_same_run = high < kCount && low / (2 * run) == high / (2 * run);
        if (is_low_end && is_same_run) {
          order_descending(keys[low], keys[high]);
        }
      }
    }
  }
}

/// Greatest of the values of the token's `kLanes` neighbouring lanes; every lane of the warp calls.
template <int kLanes>
SWITCHYARD_DEVICE std::uint32_t lanes_maximum(std::uint32_t value) {
  if constexpr (kLanes == kWarpLanes) {
    return __reduce_max_sync(kFullWarp, value);
  } else {
    SWITCHYARD_UNROLL
    for (int distance = kLanes / 2; distance > 0; distance /= 2) {
      const std::uint32_t other = __shfl_xor_sync(kFullWarp, value, distance);
      value = other > value ? other : value;
    }
    return value;
  }
}

template <int kLanes>
SWITCHYARD_DEVICE std::uint64_t lanes_maximum(std::uint64_t value) {
  const std::uint32_t high = high_word(value);
  const std::uint32_t best_high = lanes_maximum<kLanes>(high);
  const std::uint32_t low = high == best_high ? static_cast<std::uint32_t>(value) : 0U;
  return join_words(best_high, lanes_maximum<kLanes>(low));
}

/// Sum over the token's lanes by the rule "sums" of router_math.cuh; the same bits on every lane.
template <int kLanes>
SWITCHYARD_DEVICE float lanes_sum(float value) {
  SWITCHYARD_UNROLL
  for (int distance = 1; distance < kLanes; distance *= 2) {
    value = add_rounded(value, __shfl_xor_sync(kFullWarp, value, distance));
  }
  return value;
}

inline constexpr int kCheapSlots = 8;

/// What a lane knows after the selection.
template <typename Key>
struct Selected {
  Key own;  ///< the winner of slot `lane`; meaningless beyond the last slot
  Key top;  ///< the winner of slot 0
};

/// Takes the `slots` <= kSlots greatest keys of the token in descending order. The keys of each
/// lane are sorted, greatest first; they are spoilt.
template <int kSlots, int kLanes, int kPerLane, typename Key>
SWITCHYARD_DEVICE Selected<Key> select_slots(Key (&keys)[kPerLane], int slots, int lane) {
  static_assert(kSlots <= kLanes, "one lane for each slot");
  Selected<Key> selected{0, 0};
  SWITCHYARD_UNROLL
  for (int slot = 0; slot < kSlots; ++slot) {
    // A short list is filled to its end, whoever looks at it; the test would cost more.
    if (kSlots > kCheapSlots && slot >= slots) {
      break;
    }
    const Key best = lanes_maximum<kLanes>(keys[0]);
    selected.own = lane == slot ? best : selected.own;
    selected.top = slot == 0 ? best : selected.top;
    const bool is_mine = keys[0] == best;
    SWITCHYARD_UNROLL
    for (int item = 0; item < kPerLane; ++item) {
      // An item further down than the slots still to fill is never looked at again.
      if (item + slot + 1 < kSlots) {
        const Key next = item + 1 < kPerLane ? keys[item + 1] : Key{0};
        keys[item] = is_mine ? next : keys[item];
      }
    }
  }
  return selected;
}

}  // namespace switchyard
