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

/// One hop of a route: `share` of the transfer's bytes cross `link` (1 unless Spread splits it).
struct Hop {
  LinkId link;
  float share = 1;
};

/// Routes between all pairs of ranks, in one table.
class RouteTable {
 public:
  /// `offsets` [ranks * ranks + 1] into `hops`; `latency_s` [ranks * ranks].
  RouteTable(std::size_t ranks,
             std::vector<std::uint32_t> offsets,
             std::vector<Hop> hops,
             std::vector<float> latency_s);

  [[nodiscard]] std::size_t rank_count() const { return ranks_; }

  /// Hops from source to destination in path order; empty when they are equal.
  [[nodiscard]] std::span<const Hop> hops(std::size_t source, std::size_t destination) const {
    const std::size_t pair = source * ranks_ + destination;
    return {hops_.data() + offsets_[pair], hops_.data() + offsets_[pair + 1]};
  }

  /// Sum of the links' latencies along the (longest) path.
  [[nodiscard]] Seconds latency(std::size_t source, std::size_t destination) const {
    return Seconds{latency_s_[source * ranks_ + destination]};
  }

  /// True if some pair is spread over several paths.
  [[nodiscard]] bool is_spread() const { return is_spread_; }

 private:
  std::size_t ranks_;
  std::vector<std::uint32_t> offsets_;
  std::vector<Hop> hops_;
  std::vector<float> latency_s_;
  bool is_spread_ = false;
};

class Fabric {
 public:
  struct Parts {
    std::string name;
    std::string source;  // where the figures come from; "" = not said
    bool is_calibrated = false;
    std::vector<Device> devices;
    std::vector<Link> links;
    PathPolicy path_policy = PathPolicy::Hashed;
    std::uint64_t path_seed = 0;
  };

  /// Checks names, ends and rates, that nodes are numbered from 0 without gaps, and that every GPU
  /// reaches every other without passing through a third GPU. Throws InvalidInput against `where`.
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
  [[nodiscard]] std::span<const Device> devices() const;
  [[nodiscard]] std::span<const Link> links() const;
  [[nodiscard]] PathPolicy path_policy() const;
  [[nodiscard]] std::uint64_t path_seed() const;
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

  /// Shortest paths (fewest hops, weighted by Link::cost) for the first `ranks` ranks. Only
  /// switches and NICs pass traffic on, and a NIC only between its node and the outside. Computed
  /// once per rank count and cached; thread-safe. Throws InvalidInput for more ranks than GPUs.
  [[nodiscard]] const RouteTable& routes(std::size_t ranks) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace switchyard
