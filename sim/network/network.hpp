// Networks price a schedule on a fabric. All of them serve the same realism terms, so that one can
// be checked against another. One <name>_network.cpp in sim/network/ each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/registry.hpp"
#include "core/units.hpp"
#include "sim/schedule.hpp"
#include "topologies/fabric.hpp"

namespace switchyard {

/// One point of the incast curve: with `flows` or more transfers on a link at once, it carries
/// `efficiency` of its rate. Points ascend in flows and do not rise in efficiency.
struct IncastPoint {
  std::int32_t flows = 1;
  double efficiency = 1;
};

/// A change to one link of the fabric, by name.
struct LinkChange {
  std::string link;
  double bandwidth_factor = 1;       // 0.5 = degraded to half; 0 = failed
  BytesPerSecond background_load{};  // taken away by traffic of others
};

/// The realism terms and limits of a run. Defaults are "ideal network".
struct NetworkOptions {
  /// Once per collective, before the first transfer.
  Seconds launch_overhead{0};
  /// LogGP's o: a source rank issues its next message no sooner than this after the last.
  Seconds message_overhead{0};
  /// LogGP's g: extra occupation of the path per message, as if the message were longer by
  /// gap x rate of the path's slowest link.
  Seconds message_gap{0};
  /// No transfer is faster than this; 0 = no cap.
  BytesPerSecond flow_rate_cap{};
  /// Overrides Schedule::outstanding when > 0.
  std::int32_t outstanding = 0;
  std::vector<IncastPoint> incast;
  std::vector<LinkChange> link_changes;
  /// [ranks] when each rank enters the collective; empty = all at 0.
  std::vector<Seconds> start_offsets;

  /// `fluid`: exact up to this many transfers, windows of relative size `window_epsilon` beyond.
  std::int64_t exact_transfer_limit = 20000;
  double window_epsilon = 0.003;
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
  std::vector<double> rank_finish_s;  // [ranks] last byte sent or received by each
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
};

extern template class Registry<Network>;

/// The lower bound that every network reports: the busiest link's bytes over its rate, and the
/// slowest single transfer; with the bytes per link it comes from.
struct LinkLoads {
  std::vector<double> bytes;  // [links]
  double lower_bound_s = 0;
  std::int32_t bottleneck_link = -1;
};

LinkLoads link_loads(const Fabric& fabric, const Schedule& schedule, const NetworkOptions& options);

/// Effective rate of each link in bytes/s after efficiency, link changes and background load.
std::vector<double> link_rates(const Fabric& fabric, const NetworkOptions& options);

}  // namespace switchyard
