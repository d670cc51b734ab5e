// Which events of different ranks are the same collective.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "profiler/event_timeline.hpp"

namespace switchyard {

/// The events (indices) of one collective on the processes that took part.
struct MatchedCollective {
  std::vector<std::size_t> events;
};

struct MatchedCollectives {
  std::vector<MatchedCollective> collectives;
  std::vector<std::string> notes;  // what could not be matched
};

/// Matches collectives by communicator, operation and sequence number, or by order where there is
/// no number and all ranks recorded equally many.
MatchedCollectives match_collectives(const EventTimeline& timeline);

}  // namespace switchyard
