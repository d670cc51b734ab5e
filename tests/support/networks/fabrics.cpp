#include "tests/support/networks/fabrics.hpp"

#include <string>

namespace switchyard::testing {
namespace {

/// Collects devices and pairs of opposite links.
class Draft {
 public:
  explicit Draft(std::string name) { parts_.name = std::move(name); }

  DeviceId device(const std::string& name, DeviceKind kind, NodeId node = {}) {
    parts_.devices.push_back({.name = name, .kind = kind, .node = node});
    return DeviceId(parts_.devices.size() - 1);
  }

  void cable(DeviceId a, DeviceId b, BytesPerSecond rate, Seconds latency) {
    link(a, b, rate, latency);
    link(b, a, rate, latency);
  }

  Fabric build(PathPolicy policy = PathPolicy::Hashed) {
    parts_.path_policy = policy;
    return Fabric(std::move(parts_));
  }

 private:
  void link(DeviceId from, DeviceId to, BytesPerSecond rate, Seconds latency) {
    parts_.links.push_back(
        {.name = parts_.devices[from.index()].name + "->" + parts_.devices[to.index()].name,
         .from = from,
         .to = to,
         .bandwidth = rate,
         .latency = latency});
  }

  Fabric::Parts parts_;
};

}  // namespace

Fabric star(const StarShape& shape) {
  Draft draft("star");
  std::vector<DeviceId> gpus;
  for (std::size_t rank = 0; rank < shape.ranks; ++rank) {
    gpus.push_back(
        draft.device("gpu" + std::to_string(rank), DeviceKind::Gpu, NodeId(std::size_t{0})));
  }
  const DeviceId hub = draft.device("switch", DeviceKind::Switch);
  for (const DeviceId gpu : gpus) {
    draft.cable(gpu, hub, shape.rate, shape.latency);
  }
  return draft.build();
}

Fabric nodes(const NodesShape& shape) {
  Draft draft("nodes");
  const DeviceId network = draft.device("network", DeviceKind::Switch);
  for (std::size_t node = 0; node < shape.gpus_per_node.size(); ++node) {
    const std::string number = std::to_string(node);
    const DeviceId hub = draft.device("nvswitch" + number, DeviceKind::Switch, NodeId(node));
    const double factor = shape.is_uneven && node % 2 == 1 ? 0.5 : 1.0;
    for (std::size_t local = 0; local < shape.gpus_per_node[node]; ++local) {
      const std::string suffix = std::to_string(local);
      const DeviceId gpu = draft.device("n" + number + "g" + suffix, DeviceKind::Gpu, NodeId(node));
      const DeviceId nic =
          draft.device("n" + number + "nic" + suffix, DeviceKind::Nic, NodeId(node));
      draft.cable(gpu, hub, shape.nvlink_rate, shape.link_latency);
      draft.cable(gpu, nic, shape.nic_rate * (2 * factor), shape.link_latency);
      draft.cable(nic, network, shape.nic_rate * factor, shape.link_latency);
    }
  }
  return draft.build();
}

Fabric dumbbell(const DumbbellShape& shape) {
  Draft draft("dumbbell");
  std::vector<DeviceId> sides;
  for (const char* side : {"left", "right"}) {
    sides.push_back(draft.device(side, DeviceKind::Switch));
  }
  for (std::size_t trunk = 0; trunk < shape.trunks; ++trunk) {
    const DeviceId middle = draft.device("trunk" + std::to_string(trunk), DeviceKind::Switch);
    draft.cable(sides[0], middle, shape.trunk_rate, Seconds{0});
    draft.cable(sides[1], middle, shape.trunk_rate, Seconds{0});
  }
  for (std::size_t rank = 0; rank < shape.ranks; ++rank) {
    const std::size_t side = rank < shape.ranks / 2 ? 0 : 1;
    draft.cable(draft.device("gpu" + std::to_string(rank), DeviceKind::Gpu, NodeId(side)),
                sides[side],
                shape.rate,
                Seconds{0});
  }
  return draft.build(shape.policy);
}

}  // namespace switchyard::testing
