// Which rank sent how much to which, as a profile recorded it: the counterpart of the simulator's
// traffic matrix.
#pragma once

#include <cstdint>

#include "core/matrix.hpp"
#include "profiler/event_timeline.hpp"

namespace switchyard {

struct MeasuredTraffic {
  Matrix<std::int64_t> bytes;     // [ranks, ranks] from row to column; empty if nothing is known
  std::int64_t messages = 0;      // sends, and split lists of all-to-alls
  std::int64_t without_peer = 0;  // all-to-alls whose split sizes or ranks were not recorded
};

/// Sends count for their sender. A receive counts only if its sender is not among the processes,
/// as both ends of a message may be recorded. All-to-alls count by their split lists.
MeasuredTraffic measured_traffic(const EventTimeline& timeline);

}  // namespace switchyard
