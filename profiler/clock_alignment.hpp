// One clock for all ranks of a job. Each process stamps its events with a clock of its own; a
// collective ends on all its ranks at nearly the same moment, so that the ends of matching
// collectives tell offset and drift.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "profiler/event_timeline.hpp"

namespace switchyard {

/// How to turn a process's time into that of the reference.
struct ProcessClock {
  bool is_aligned = false;     // the reference, or matched to it (through others if need be)
  bool is_reliable = false;    // no jump, and the median residual is small beside the collectives
  std::int64_t origin_ns = 0;  // where the drift counts from
  std::int64_t offset_ns = 0;  // at the origin
  double drift = 0;            // nanoseconds per nanosecond
  std::int64_t matches = 0;    // collectives used
  double median_residual_ns = 0;
  double largest_residual_ns = 0;
  std::int64_t jump_ns = 0;  // the clock was set while recording: 0 if not
  std::int64_t jump_after_ns = 0;

  /// A time of this process on the reference's clock.
  [[nodiscard]] std::int64_t corrected(std::int64_t time_ns) const;
};

/// The events (indices) of one collective on the processes that took part.
struct MatchedCollective {
  std::vector<std::size_t> events;
};

struct ClockAlignment {
  std::vector<ProcessClock> clocks;  // [processes]
  std::vector<MatchedCollective> collectives;
  std::vector<std::string> notes;  // residuals, and what could not be matched
};

/// Matches collectives by communicator, operation and sequence number, or by order where there is
/// no number and all ranks recorded equally many. The first process is the reference. Drift is
/// fitted from eight matches on, by the median of slopes, and kept only if it helps.
ClockAlignment align_clocks(const EventTimeline& timeline);

/// Of each event, how long it waited for the last rank to begin the same collective; -1 where that
/// is not known (not matched, or the clock is not reliable). [events]
std::vector<std::int64_t> waiting_times(const EventTimeline& timeline,
                                        const ClockAlignment& alignment);

}  // namespace switchyard
