// Runs the parts of a problem that share no link, each on its own and several at a time. The parts
// do not depend on the number of threads, so neither do the results.
#pragma once

#include <span>

#include "sim/network/fluid/exact_run.hpp"

namespace switchyard {

/// `start_s` [flows] when each flow starts, known beforehand.
FlowTimes run_components(FlowGraph graph,
                         const SharingLimits& limits,
                         const FlowDemand& demand,
                         std::span<const double> start_s,
                         std::size_t threads);

}  // namespace switchyard
