// Runs the parts of a problem that share no link, each on its own and several at a time. The parts
// do not depend on the number of threads, so neither do the results.
#pragma once

#include <limits>
#include <span>
#include <vector>

#include "sim/network/fluid/exact_run.hpp"

namespace switchyard {

/// How much precision to pay for, and with how many threads.
struct RunChoice {
  std::size_t exact_flow_limit = std::numeric_limits<std::size_t>::max();  // of one part
  double window_epsilon = 0;                                               // beyond the limit
  std::size_t threads = 1;
  /// Exact runs end here; flows that have not finished are given infinity.
  double until_s = std::numeric_limits<double>::infinity();
};

struct ComponentTimes {
  std::vector<double> finish_s;  // [flows]
  bool is_windowed = false;      // some part was larger than the limit
};

/// `bytes` [flows], > 0; `start_s` when each flow starts, known beforehand: [flows], or [1] if all
/// start together.
ComponentTimes run_components(FlowGraph graph,
                              const SharingLimits& limits,
                              std::vector<double> bytes,
                              std::span<const double> start_s,
                              const RunChoice& choice);

}  // namespace switchyard
