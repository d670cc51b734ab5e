// Event-driven exact run: from one start or end of a flow to the next, with max-min fair rates in
// between.
#pragma once

#include <vector>

#include "sim/network/fluid/max_min_solver.hpp"

namespace switchyard {

/// What is to be moved. Spans are per flow of the graph.
struct FlowDemand {
  std::span<const double> bytes;      // > 0
  std::span<const double> latency_s;  // added after the last byte has been sent
};

/// When each flow starts is decided by the caller as the run goes on.
class FlowSource {
 public:
  FlowSource() = default;
  FlowSource(const FlowSource&) = delete;
  FlowSource& operator=(const FlowSource&) = delete;
  FlowSource(FlowSource&&) = delete;
  FlowSource& operator=(FlowSource&&) = delete;
  virtual ~FlowSource() = default;

  /// Time of the next start, infinity if none is due before some flow arrives.
  [[nodiscard]] virtual double next_time() const = 0;
  /// Appends the flows that start at next_time().
  virtual void release(std::vector<std::uint32_t>& flows) = 0;
  /// A flow has arrived at `now`. Starts that follow from it are at `now` or later.
  virtual void arrived(std::uint32_t flow, double now) = 0;
};

/// Start and finish of each flow, in seconds.
struct FlowTimes {
  std::vector<double> start_s;
  std::vector<double> finish_s;
};

FlowTimes run_exact(const FlowGraph& graph,
                    const SharingLimits& limits,
                    const FlowDemand& demand,
                    FlowSource& source);

}  // namespace switchyard
