// Servers wired rail by rail: NIC r of every server in a group meets at leaf r, so GPUs of equal
// index talk through one leaf, and only traffic between rails or groups climbs to the spine.
//
//            spine0          spine1                 every leaf to every spine
//          /   |   \  \    /  |    \  \             leaf-spine rate = sum of the leaf's NIC ports
//     leaf0  leaf1 ... leafR-1  leaf0 ...                 / (oversubscription * spines)
//       | \    | \        |       |
//      nic0   nic1  ...  nicR-1   |                 R = gpus_per_node * nics_per_gpu rails
//      gpu0   gpu1  ...  gpuG-1   |
//      ==== node 0 (NVSwitch) === node 1 ...        nodes_per_group servers share a group of leaves
//      `------- group 0 ---------------' `- group 1
#include "topologies/building_blocks/leaf_spine.hpp"
#include "topologies/building_blocks/node_parts.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

class RailOptimised final : public TopologyGenerator {
 public:
  explicit RailOptimised(Parameters& parameters)
      : nodes_(parameters.get_integer("nodes", 8, {1, 8192}, "servers")),
        node_(parameters),
        nodes_per_group_(parameters.get_integer(
            "nodes_per_group", 32, {1, 8192}, "servers that share a set of leaf switches")),
        upper_(parameters) {}

  [[nodiscard]] Fabric::Parts generate() const override {
    FabricBuilder builder;
    std::vector<std::vector<NicPort>> ports;  // [nodes][rails]
    for (std::int64_t node = 0; node < nodes_; ++node) {
      ports.push_back(node_.add_to(builder, node).ports);
    }
    upper_.add_to(builder, rail_leaves(ports, static_cast<std::size_t>(nodes_per_group_)));
    return builder.take();
  }

 private:
  std::int64_t nodes_;
  NodeParts node_;
  std::int64_t nodes_per_group_;
  LeafSpine upper_;
};

const Register<TopologyGenerator, RailOptimised> kRailOptimised{
    "rail_optimised", "servers wired rail by rail to leaf and spine switches"};

}  // namespace
}  // namespace switchyard
