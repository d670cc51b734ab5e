// The machine as a graph: GPUs, NICs, switches, host memory and SSDs joined by directed links, and
// the routes that traffic between GPUs takes over them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/identifiers.hpp"
#include "core/numbers/units.hpp"
#include "topologies/route_table.hpp"

namespace switchyard {

enum class DeviceKind { Gpu, Nic, Switch, HostMemory, Ssd };

std::string_view device_kind_name(DeviceKind kind);

/// A vertex.
struct Device {
  std::string name;  // unique: "node3.gpu5", "leaf2"
  DeviceKind kind = DeviceKind::Gpu;
  NodeId node;  // scale-up domain; invalid for switches between nodes

  bool operator==(const Device&) const = default;
};

/// A directed edge. A full-duplex cable is two links.
struct Link {
  std::string name;  // unique: "node3.gpu5->node3.nic5"
  DeviceId from;
  DeviceId to;
  BytesPerSecond bandwidth;  // data-sheet rate of this direction
  Seconds latency{0};
  double efficiency = 1;  // share of `bandwidth` that payload can reach; from calibration
  std::int32_t cost = 1;  // hops it counts as when routes are chosen: PCIe beside NVLink costs more

  /// What the simulators use.
  [[nodiscard]] BytesPerSecond effective_bandwidth() const { return bandwidth * efficiency; }

  bool operator==(const Link&) const = default;
};

/// How equal-cost shortest paths are used.
enum class PathPolicy {
  Hashed,  // at every fork, each (source, destination) pair goes one way, picked by a seeded hash
  Spread,  // at every fork, each pair's bytes split evenly over the ways on
  Pinned,  // at every fork, all traffic to one destination goes one way, picked by a seeded hash:
           // static forwarding tables, as InfiniBand has without adaptive routing
};

std::string_view path_policy_name(PathPolicy policy);

/// A way laid down for one pair of ranks, whatever the path policy says.
struct FixedRoute {
  RankId source;
  RankId destination;
  std::vector<LinkId> links;  // in path order

  bool operator==(const FixedRoute&) const = default;
};

class Fabric {
 public:
  struct Parts {
    std::string name;
    std::string source;  // where the figures come from; "" = not said
    bool is_calibrated = false;
    std::string calibration;  // file with fitted constants of this machine; "" = none
    std::vector<Device> devices;
    std::vector<Link> links;
    PathPolicy path_policy = PathPolicy::Hashed;
    std::uint64_t path_seed = 0;
    std::vector<FixedRoute> routes;  // all other pairs take shortest paths
  };

  /// Checks names, ends and rates, that nodes are numbered from 0 without gaps, and that every GPU
  /// reaches every other without passing through a third GPU; fixed routes must lead from their
  /// source to their destination over no link twice. Throws InvalidInput against `where`.
  /// Ranks are the GPUs in order of appearance.
  explicit Fabric(Parts parts, const Location& where = {});
  Fabric(const Fabric&);
  Fabric& operator=(const Fabric&);
  Fabric(Fabric&&) noexcept;
  Fabric& operator=(Fabric&&) noexcept;
  ~Fabric();

  [[nodiscard]] const std::string& name() const;
  [[nodiscard]] const std::string& source() const;
  [[nodiscard]] bool is_calibrated() const;
  /// Path of the calibration file that goes with the machine; empty if there is none.
  [[nodiscard]] const std::string& calibration() const;
  [[nodiscard]] std::span<const Device> devices() const;
  [[nodiscard]] std::span<const Link> links() const;
  [[nodiscard]] PathPolicy path_policy() const;
  [[nodiscard]] std::uint64_t path_seed() const;
  [[nodiscard]] std::span<const FixedRoute> fixed_routes() const;
  /// By name; nothing if there is none.
  [[nodiscard]] std::optional<DeviceId> find_device(std::string_view device_name) const;
  [[nodiscard]] std::optional<LinkId> find_link(std::string_view link_name) const;

  /// GPUs of the fabric = ranks.
  [[nodiscard]] std::size_t rank_count() const;
  [[nodiscard]] DeviceId gpu_of(RankId rank) const;
  [[nodiscard]] NodeId node_of(RankId rank) const;
  [[nodiscard]] std::size_t node_count() const;
  /// Ranks of one node, ascending.
  [[nodiscard]] std::span<const RankId> ranks_of(NodeId node) const;

  /// Fixed routes, and shortest paths (fewest hops, weighted by Link::cost) for all other pairs of
  /// the first `ranks` ranks. Only
  /// switches and NICs pass traffic on, and a NIC only between its node and the outside. Computed
  /// once per rank count and cached; thread-safe. Throws InvalidInput for more ranks than GPUs.
  [[nodiscard]] const RouteTable& routes(std::size_t ranks) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace switchyard
