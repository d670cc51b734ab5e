// The classic three-layer folded Clos network of servers: all NICs of a server meet in one edge
// switch (compare rail_optimised, where each goes to a switch of its own).
//
//        core0.0   core0.1      core1.0   core1.1     core a.c is above aggregation a of every pod
//           |  \   /  |            |  \   /  |
//        aggregation0 (pod 0)   aggregation1 (pod 0)  ... pod 1 ...
//           |     \     /          |
//        edge0     edge1        (each edge to each aggregation of its pod)
//        /  \       /  \                              .
//     node0 node1 node2 node3                         nodes_per_edge servers under an edge
//
// With one pod there are no cores: two layers.
#include <algorithm>

#include <fmt/format.h>

#include "topologies/building_blocks/node_parts.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

class FatTree final : public TopologyGenerator {
 public:
  explicit FatTree(Parameters& parameters)
      : pods_(parameters.get_integer("pods", 2, {1, 1024}, "pods")),
        edges_per_pod_(parameters.get_integer(
            "edges_per_pod", 2, {1, 1024}, "edge (top of rack) switches in a pod")),
        nodes_per_edge_(
            parameters.get_integer("nodes_per_edge", 2, {1, 1024}, "servers below an edge switch")),
        node_(parameters),
        aggregations_per_pod_(parameters.get_integer(
            "aggregations_per_pod", 2, {1, 1024}, "aggregation switches in a pod")),
        cores_per_aggregation_(parameters.get_integer(
            "cores_per_aggregation", 2, {1, 1024}, "core switches above each aggregation switch")),
        edge_oversubscription_(parameters.get_number(
            "oversubscription", 1, {0.01, 1000}, "rate below an edge switch over rate above")),
        core_oversubscription_(
            parameters.get_number("core_oversubscription",
                                  1,
                                  {0.01, 1000},
                                  "rate below an aggregation switch over rate above")),
        switch_latency_(parameters.get_duration(
            "switch_latency", Seconds{500e-9}, "switch to switch, with forwarding")) {}

  [[nodiscard]] Fabric::Parts generate() const override {
    FabricBuilder builder;
    add_nodes(builder);
    std::vector<std::vector<DeviceId>> cores;  // [aggregations per pod][cores per aggregation]
    for (std::int64_t a = 0; a < aggregations_per_pod_ && pods_ > 1; ++a) {
      std::vector<DeviceId>& row = cores.emplace_back();
      for (std::int64_t c = 0; c < cores_per_aggregation_; ++c) {
        row.push_back(builder.add_device(fmt::format("core{}.{}", a, c), DeviceKind::Switch));
      }
    }
    for (std::int64_t pod = 0; pod < pods_; ++pod) {
      add_pod(builder, pod, cores);
    }
    return builder.take();
  }

 private:
  // Servers come first so that the ranks do not depend on the switches.
  void add_nodes(FabricBuilder& builder) const {
    for (std::int64_t i = 0; i < pods_ * edges_per_pod_ * nodes_per_edge_; ++i) {
      node_.add_to(builder, i);
    }
  }

  [[nodiscard]] std::int64_t nics_per_node() const {
    return node_.gpu_count() * node_.nics_per_gpu();
  }

  void add_pod(FabricBuilder& builder,
               std::int64_t pod,
               const std::vector<std::vector<DeviceId>>& cores) const {
    const auto nics_below_edge = static_cast<double>(nodes_per_edge_ * nics_per_node());
    const double edge_up = nics_below_edge / edge_oversubscription_;
    const double edge_link = edge_up / static_cast<double>(aggregations_per_pod_);
    const double core_link = edge_link * static_cast<double>(edges_per_pod_) /
                             (core_oversubscription_ * static_cast<double>(cores_per_aggregation_));
    std::vector<DeviceId> aggregations;
    for (std::int64_t a = 0; a < aggregations_per_pod_; ++a) {
      aggregations.push_back(
          builder.add_device(fmt::format("pod{}.aggregation{}", pod, a), DeviceKind::Switch));
      if (!cores.empty()) {
        for (const DeviceId core : cores[static_cast<std::size_t>(a)]) {
          builder.connect(aggregations.back(), core, switch_cable(core_link));
        }
      }
    }
    for (std::int64_t e = 0; e < edges_per_pod_; ++e) {
      const DeviceId edge =
          builder.add_device(fmt::format("pod{}.edge{}", pod, e), DeviceKind::Switch);
      const std::int64_t first = (pod * edges_per_pod_ + e) * nodes_per_edge_;
      for (std::int64_t node = first; node < first + nodes_per_edge_; ++node) {
        for (std::int64_t nic = 0; nic < nics_per_node(); ++nic) {
          builder.connect(
              builder.find_device(fmt::format("node{}.nic{}", node, nic)), edge, node_.nic_cable());
        }
      }
      for (const DeviceId aggregation : aggregations) {
        builder.connect(edge, aggregation, switch_cable(edge_link));
      }
    }
  }

  // A link as thick as so many NIC ports.
  [[nodiscard]] Cable switch_cable(double nic_ports) const {
    return {.bandwidth = node_.nic_cable().bandwidth * nic_ports, .latency = switch_latency_};
  }

  std::int64_t pods_;
  std::int64_t edges_per_pod_;
  std::int64_t nodes_per_edge_;
  NodeParts node_;
  std::int64_t aggregations_per_pod_;
  std::int64_t cores_per_aggregation_;
  double edge_oversubscription_;
  double core_oversubscription_;
  Seconds switch_latency_;
};

const Register<TopologyGenerator, FatTree> kFatTree{
    "fat_tree", "servers below edge, aggregation and core switches"};

}  // namespace
}  // namespace switchyard
