// Why an exchange takes as long as it does, from its schedule and timeline: which links were busy
// when, what each rank's time went into, how good it could be, and what would help.
#pragma once

#include <string>
#include <vector>

#include "core/matrix.hpp"
#include "sim/network/network.hpp"

namespace switchyard {

/// One priced schedule; all four belong together.
struct PricedSchedule {
  const Fabric& fabric;
  const Schedule& schedule;
  const NetworkOptions& options;
  const Timeline& timeline;
};

/// Use of every link over time, [links, bins]: the share of its rate taken in each of `bins` equal
/// parts of the makespan. Each transfer's bytes are spread evenly over the time it drained, which
/// is exact where its rate was constant; row sums times the bin length give its bytes over its rate
/// exactly. Throws MissingCapability for a timeline without transfer times.
Matrix<double> link_utilisation(const PricedSchedule& exchange, std::size_t bins);

/// What a rank's time in the exchange went into; the three add up to makespan - entry.
struct RankSplit {
  double transfer_s = 0;  // its own sends and receives need this on an otherwise idle fabric
  double queue_s = 0;     // the rest until it was done: behind others, overheads, dependencies
  double wait_s = 0;      // from then until the last rank was done
};

std::vector<RankSplit> rank_splits(const PricedSchedule& exchange);

/// Lower bounds of one schedule side by side, in seconds from the start of the collective.
struct ScheduleBounds {
  double busiest_link_s = 0;  // link_loads: no link can be faster
  /// The slowest rank's own sends or own receives on an otherwise idle fabric: what an order of
  /// disjoint pairs reaches when only the ranks' own links limit.
  double contention_free_s = 0;
  /// Longest chain of transfers that wait for one another, each alone on the fabric.
  double critical_path_s = 0;
  std::vector<std::uint32_t> critical_path;  // its transfers, first to last
};

ScheduleBounds schedule_bounds(const Fabric& fabric,
                               const Schedule& schedule,
                               const NetworkOptions& options);

/// The exchange again with some links twice as fast.
struct Relief {
  std::string links;  // a name, or a pattern with '*' for the numbers in the names of a whole class
  std::size_t link_count = 1;
  double makespan_s = 0;
  double saved_s = 0;  // against the exchange as it is
};

/// "What would help most": the busiest link of each of the `classes` busiest classes of links
/// (names that differ only in their numbers), alone and with its whole class, doubled and priced
/// again by `network`; the largest saving first.
std::vector<Relief> relief_options(const Network& network,
                                   const PricedSchedule& exchange,
                                   std::size_t classes);

}  // namespace switchyard
