// One clock for all ranks of a job. Each process stamps its events with a clock of its own; a
// collective ends on all its ranks at nearly the same moment, so that the ends of matching
// collectives tell offset, drift and jumps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "profiler/clocks/clock_fit.hpp"
#include "profiler/clocks/collective_matching.hpp"
#include "profiler/event_timeline.hpp"

namespace switchyard {

struct ClockAlignment {
  std::vector<ProcessClock> clocks;  // [processes]
  std::vector<MatchedCollective> collectives;
  std::vector<std::string> notes;  // residuals, jumps, and what could not be matched
};

/// Brings all clocks to that of the first process, whose own jumps show in all others.
ClockAlignment align_clocks(const EventTimeline& timeline);

/// Of each event, how long it waited for the last rank to begin the same collective; -1 where that
/// is not known: not matched, a rank's clock is not reliable or jumps beside it, or the ends of the
/// collective lie further apart than its clocks explain. [events]
std::vector<std::int64_t> waiting_times(const EventTimeline& timeline,
                                        const ClockAlignment& alignment);

}  // namespace switchyard
