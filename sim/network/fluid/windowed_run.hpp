// Approximate run for exchanges too large to follow end by end: all ends that fall into one window
// share one re-solve.
//
// Flows expected to end in a window are charged to their chains as the constant rate that moves
// what they have left in exactly that window; all others share the rest fairly. So the bytes that
// cross a link in a window never exceed what it can carry, and links stay busy. A flow that ends
// although it was not expected to has been charged too much; the excess is given back to its chains
// in the next window.
//
// A window ends when about `epsilon` of the flows under way have ended, and lasts no longer than
// four epsilon of the time since the start. The first rates are exact, the flows of small links
// are followed end by end in the first window, and the last flows are run exactly, so that neither
// the smallest flows nor the makespan depend on the size of a window.
#pragma once

#include "sim/network/fluid/exact_run.hpp"

namespace switchyard {

/// `bytes_or_finish_s` of the whole, > 0: the bytes of `flows` [flows of the graph] give way to
/// their finishes; an empty `flows` stands for all. `start_s` says when each flow of the graph
/// starts: [flows], or [1] if all start together; `epsilon` lies in (0, 0.5].
void run_windowed(FlowGraph graph,
                  const SharingLimits& limits,
                  std::span<double> bytes_or_finish_s,
                  std::span<const std::uint32_t> flows,
                  std::span<const double> start_s,
                  double epsilon);

}  // namespace switchyard
