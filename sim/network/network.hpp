// Networks price a schedule on a fabric. All of them serve the same realism terms, so that one can
// be checked against another. One <name>_network.cpp in sim/network/ each.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/components/registry.hpp"
#include "core/numbers/units.hpp"
#include "sim/exchange/schedule.hpp"
#include "sim/network/start_spread.hpp"
#include "topologies/fabric.hpp"

namespace switchyard {

/// One point of the incast curve: with `flows` or more transfers draining over a link at once, it
/// carries `efficiency` of its rate; below the first point it carries all of it. A step function:
/// points ascend in flows and do not rise in efficiency, which stays above zero.
struct IncastPoint {
  std::int32_t flows = 1;
  double efficiency = 1;
};

/// A change to one link of the fabric, by name. Several changes to one link add up: factors
/// multiply, loads are summed. A link left with no rate has failed.
struct LinkChange {
  std::string link;
  double bandwidth_factor = 1;       // 0.5 = degraded to half; 0 = failed
  BytesPerSecond background_load{};  // taken away by traffic of others
};

/// The realism terms and limits of a run. Defaults are "ideal network".
///
/// The life of a transfer, in every network:
/// - *ready*: its source has entered (launch_overhead + start_offsets[source] + the source's
///   draw from start_spread) and all its
///   dependencies have finished. It does not wait for its destination to enter: buffers are posted.
/// - *issued* (start_s): a source issues its ready transfers one at a time, lowest index first; a
///   transfer that is not ready yet does not hold up later ones. It issues when fewer than
///   `outstanding` of its transfers are issued and unfinished, and no sooner than
///   message_overhead x messages(previous) after its previous issue. Finishes that fall on the same
///   instant all count before the next issue.
/// - *draining*: from its issue on it has a max-min fair share of every link of its route, until
///   all its bytes (and its gap bytes) are through.
/// - *finished* (finish_s): the route's latency after it has drained. Latency holds no link.
struct NetworkOptions {
  /// Once per collective: added to the entry of every rank.
  Seconds launch_overhead{0};
  /// Time to start that partly overlaps with moving bytes; every network applies it last, to all
  /// times since the first entry: t becomes (start_up^p + t^p)^(1/p), p = start_up_overlap >= 1.
  /// p = 1 delays everything by start_up, as launch_overhead does; a large p lets the longer of the
  /// two hide the other. Set by calibration (docs/validation.md).
  Seconds start_up{0};
  double start_up_overlap = 1;
  /// LogGP's o: a source rank issues its next transfer no sooner than this, times the messages of
  /// the last transfer, after the last. The first one is issued at once.
  Seconds message_overhead{0};
  /// LogGP's g: each message occupies its route as if it were longer by gap x the rate of the
  /// route, which is the least of rate / share over its hops (after link changes; caps and incast
  /// left out). These bytes load links but are not reported in link_bytes.
  Seconds message_gap{0};
  /// No transfer drains faster than this over all its paths together; 0 = no cap.
  BytesPerSecond flow_rate_cap{};
  /// Overrides Schedule::outstanding when > 0.
  std::int32_t outstanding = 0;
  /// Counts every transfer that drains over the link, whatever its share of it.
  std::vector<IncastPoint> incast;
  std::vector<LinkChange> link_changes;
  /// [ranks] when each rank enters the collective; empty = all at 0.
  std::vector<Seconds> start_offsets;
  /// Drawn for each rank, the same in every collective, and added to its start offset.
  StartSpread start_spread;

  /// `fluid`: exact up to this many transfers that all start at once and are joined by common
  /// links; beyond, in windows in which about `window_epsilon` of the transfers under way end.
  std::int64_t exact_transfer_limit = 20000;
  double window_epsilon = 0.04;
  std::int32_t threads = 1;
  /// `simgrid`: give up (MissingCapability) after this long.
  Seconds time_limit{300};
};

/// What happened when. Times in seconds from the start of the collective.
struct Timeline {
  std::string network;        // name of the network that priced it
  std::string mode;           // "exact", "windowed", "closed form"
  double window_epsilon = 0;  // of a windowed run; 0 = exact
  double makespan_s = 0;
  double lower_bound_s = 0;           // no network can be faster; <= makespan_s
  std::int32_t bottleneck_link = -1;  // LinkId of the busiest link; -1 = nothing moved
  std::vector<double> start_s;        // [transfers]; empty for closed forms
  std::vector<double> finish_s;       // [transfers]; empty for closed forms
  std::vector<double> link_bytes;     // [links] bytes that crossed each
  /// [ranks] when the last transfer that each sends or receives has finished; a rank that takes
  /// part in none: when it entered.
  std::vector<double> rank_finish_s;
};

class Network {
 public:
  Network() = default;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  Network(Network&&) = delete;
  Network& operator=(Network&&) = delete;
  virtual ~Network() = default;

  /// Pure: equal inputs give equal timelines, whatever the thread count. Throws InvalidInput for
  /// more ranks than GPUs or a transfer over a failed link without a way round.
  [[nodiscard]] virtual Timeline simulate(const Fabric& fabric,
                                          const Schedule& schedule,
                                          const NetworkOptions& options) const = 0;

  /// False if simulate() must not run in several threads at once.
  [[nodiscard]] virtual bool may_run_concurrently() const { return true; }
};

extern template class Registry<Network>;

/// Throws InvalidInput for what no network can run: more ranks than GPUs, start offsets of another
/// length than the ranks, negative or non-finite terms, an incast curve that rises, an unknown link
/// in a change. Every network calls it first.
void check_network_inputs(const Fabric& fabric,
                          const Schedule& schedule,
                          const NetworkOptions& options);

/// Effective rate of each link in bytes/s after efficiency, link changes and background load; 0 for
/// a failed link.
std::vector<double> link_rates(const Fabric& fabric, const NetworkOptions& options);

/// [ranks] when each rank enters: launch overhead, its start offset and what was drawn for it, in
/// seconds.
std::vector<double> rank_entries(std::size_t ranks, const NetworkOptions& options);

/// Applies `start_up` to all times of a timeline that was priced without it. Every network calls it
/// last.
void apply_start_up(const NetworkOptions& options, Timeline& timeline);

/// Bytes per link, and the lower bound that every network reports: the later of
/// - the busiest link: earliest entry + its bytes and gap bytes over its rate + least latency;
/// - the slowest transfer alone: its entry + its drain time at the full rate of its route, or at
/// the
///   cap + its latency;
/// - the slowest issuer: its entry + the overhead of all its transfers but the longest.
struct LinkLoads {
  std::vector<double> bytes;  // [links] payload that crosses each
  double lower_bound_s = 0;
  std::int32_t bottleneck_link = -1;  // most time at its full rate; ties go to the lower id
};

/// Throws InvalidInput when a transfer's route crosses a failed link.
LinkLoads link_loads(const Fabric& fabric, const Schedule& schedule, const NetworkOptions& options);

/// [ranks] from [transfers] finish times, as Timeline::rank_finish_s.
std::vector<double> rank_finishes(const Schedule& schedule,
                                  const NetworkOptions& options,
                                  std::span<const double> finish_s);

}  // namespace switchyard
