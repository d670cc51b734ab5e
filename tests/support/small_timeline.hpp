// A measured timeline made by hand: two ranks, each with a range, a launch, an all-to-all kernel
// and a copy.
#pragma once

#include "profiler/event_timeline.hpp"

namespace switchyard::testing {

/// Rank r: range "layer" [1000, 9000), launch 1100 +50, kernel "ncclDevKernel_SendRecv"
/// [2000 + 100 r, 6000), copy of 64 bytes [7000, 7500).
EventTimeline small_timeline();

}  // namespace switchyard::testing
