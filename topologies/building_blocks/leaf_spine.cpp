#include "topologies/building_blocks/leaf_spine.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace switchyard {

std::vector<LeafPlan> rail_leaves(const std::vector<std::vector<NicPort>>& ports_by_node,
                                  std::size_t nodes_per_group) {
  std::vector<LeafPlan> leaves;
  for (std::size_t first = 0; first < ports_by_node.size(); first += nodes_per_group) {
    const std::size_t end = std::min(first + nodes_per_group, ports_by_node.size());
    for (std::size_t rail = 0; rail < ports_by_node.front().size(); ++rail) {
      LeafPlan& leaf = leaves.emplace_back();
      leaf.name = fmt::format("group{}.leaf{}", first / nodes_per_group, rail);
      for (std::size_t node = first; node < end; ++node) {
        leaf.ports.push_back(ports_by_node[node][rail]);
      }
    }
  }
  return leaves;
}

LeafSpine::LeafSpine(Parameters& parameters)
    : spines_(parameters.get_integer("spines", 4, {1, 1024}, "spine switches")),
      oversubscription_(parameters.get_number(
          "oversubscription", 1, {0.01, 1000}, "NIC rate below a leaf over the rate above it")),
      spine_latency_(parameters.get_duration(
          "spine_latency", Seconds{500e-9}, "leaf to spine, with the leaf's forwarding")) {}

void LeafSpine::add_to(FabricBuilder& builder, const std::vector<LeafPlan>& leaves) const {
  std::vector<DeviceId> spines;
  for (std::int64_t i = 0; i < spines_; ++i) {
    spines.push_back(builder.add_device(fmt::format("spine{}", i), DeviceKind::Switch));
  }
  double thickest = 0;
  for (const LeafPlan& leaf : leaves) {
    double below = 0;
    for (const NicPort& port : leaf.ports) {
      below += port.cable.bandwidth.value;
    }
    thickest = std::max(thickest, below);
  }
  const BytesPerSecond rate{thickest / (oversubscription_ * static_cast<double>(spines_))};
  const Cable uplink{.bandwidth = rate, .latency = spine_latency_};
  for (const LeafPlan& plan : leaves) {
    const DeviceId leaf = builder.add_device(plan.name, DeviceKind::Switch);
    for (const NicPort& port : plan.ports) {
      builder.connect(port.nic, leaf, port.cable);
    }
    for (const DeviceId spine : spines) {
      builder.connect(leaf, spine, uplink);
    }
  }
}

}  // namespace switchyard
