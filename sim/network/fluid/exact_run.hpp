// Event-driven exact run: from one start or end of a flow to the next, with max-min fair rates in
// between.
#pragma once

#include <limits>
#include <span>
#include <vector>

#include "sim/network/fluid/sharing/max_min_solver.hpp"

namespace switchyard {

/// Says when flows start; may depend on how the run goes.
class FlowSource {
 public:
  FlowSource() = default;
  FlowSource(const FlowSource&) = delete;
  FlowSource& operator=(const FlowSource&) = delete;
  FlowSource(FlowSource&&) = delete;
  FlowSource& operator=(FlowSource&&) = delete;
  virtual ~FlowSource() = default;

  /// Time of the next start; infinity if none is due before some flow finishes.
  [[nodiscard]] virtual double next_time() const = 0;
  /// Appends flows that start at next_time(), at least one or changes next_time().
  virtual void release(std::vector<std::uint32_t>& flows) = 0;
  /// A flow has finished at `now`. Starts that follow from it are at `now` or later.
  virtual void finished(std::uint32_t flow, double now) = 0;
};

/// Start and finish of each flow, in seconds.
struct FlowTimes {
  std::vector<double> start_s;
  std::vector<double> finish_s;
};

/// `bytes` [flows], > 0. The run ends with the first event after `until`; flows that have not
/// finished then are given infinity.
FlowTimes run_exact(const FlowGraph& graph,
                    const SharingLimits& limits,
                    std::span<const double> bytes,
                    FlowSource& source,
                    double until = std::numeric_limits<double>::infinity());

/// The same for parts that share no link but wait for each other; `bytes` and the result [flows] of
/// the whole that they make up. Costs far less than one run of the whole: an event only re-solves
/// its own part.
FlowTimes run_exact(std::span<const Component> parts,
                    const SharingLimits& limits,
                    std::span<const double> bytes,
                    FlowSource& source);

}  // namespace switchyard
