// Offset, drift and jumps of one process's clock, from the ends of collectives that it shares with
// a process whose clock is known.
#pragma once

#include <cstdint>
#include <vector>

namespace switchyard {

/// A clock that was set while recording. What is stamped after `last_before_ns` and up to
/// `first_after_ns` may belong to either side.
struct ClockJump {
  std::int64_t by_ns = 0;           // how far forward
  std::int64_t last_before_ns = 0;  // end of the last collective before it
  std::int64_t first_after_ns = 0;  // end of the first collective after it
  std::int64_t boundary_ns = 0;     // later times are moved back by `by_ns`

  [[nodiscard]] bool touches(std::int64_t start_ns, std::int64_t end_ns) const {
    return start_ns < first_after_ns && end_ns > last_before_ns;
  }
};

/// How to turn a process's time into that of the reference.
struct ProcessClock {
  bool is_aligned = false;     // the reference, or matched to it (through others if need be)
  bool is_reliable = false;    // jumps are mended, residuals small beside the collectives
  std::int64_t origin_ns = 0;  // where the drift counts from
  std::int64_t offset_ns = 0;  // at the origin
  double drift = 0;            // nanoseconds per nanosecond
  std::int64_t matches = 0;    // collectives used
  double median_residual_ns = 0;
  double largest_residual_ns = 0;
  std::vector<ClockJump> jumps;  // mended, in the order of time
  /// A jump that cannot be mended (set back over what it had recorded already): 0 if there is none.
  std::int64_t lost_jump_ns = 0;
  std::int64_t lost_jump_after_ns = 0;

  /// A time of this process on the reference's clock.
  [[nodiscard]] std::int64_t corrected(std::int64_t time_ns) const;
};

/// One collective on the process to be aligned and on one that is already.
struct CollectivePair {
  std::int64_t own_start_ns = 0;
  std::int64_t own_end_ns = 0;
  std::int64_t reference_end_ns = 0;  // on the reference's clock
};

/// Fits the clock to the ends; `pairs` is not empty. The offset is a median, the drift a median of
/// slopes (from eight pairs on, and only if it helps). A jump is a step of the residuals of at
/// least 100 us, ten times their scatter and 500 us for each second between the two collectives (a
/// quartz drifts by less), with three collectives or more on either side.
ProcessClock fit_clock(std::vector<CollectivePair> pairs);

}  // namespace switchyard
