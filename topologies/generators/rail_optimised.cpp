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
#include <algorithm>

#include <fmt/format.h>

#include "topologies/generators/node_parts.hpp"
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
        spines_(parameters.get_integer("spines", 4, {1, 1024}, "spine switches")),
        oversubscription_(parameters.get_number(
            "oversubscription", 1, {0.01, 1000}, "NIC rate below a leaf over the rate above it")),
        spine_latency_(parameters.get_duration(
            "spine_latency", Seconds{500e-9}, "leaf to spine, with the leaf's forwarding")) {}

  [[nodiscard]] Fabric::Parts generate() const override {
    FabricBuilder builder;
    std::vector<std::vector<DeviceId>> nics;  // [nodes][rails]
    for (std::int64_t node = 0; node < nodes_; ++node) {
      nics.push_back(node_.add_to(builder, node).nics);
    }
    std::vector<DeviceId> spines;
    for (std::int64_t i = 0; i < spines_; ++i) {
      spines.push_back(builder.add_device(fmt::format("spine{}", i), DeviceKind::Switch));
    }
    // A group that is not full gets leaves as thick as the others.
    const std::int64_t group_size = std::min(nodes_per_group_, nodes_);
    const double uplink_share =
        static_cast<double>(group_size) / (oversubscription_ * static_cast<double>(spines_));
    const Cable uplink{.bandwidth = node_.nic_cable().bandwidth * uplink_share,
                       .latency = spine_latency_};
    for (std::int64_t first = 0; first < nodes_; first += group_size) {
      for (std::size_t rail = 0; rail < nics.front().size(); ++rail) {
        const DeviceId leaf = builder.add_device(
            fmt::format("group{}.leaf{}", first / group_size, rail), DeviceKind::Switch);
        for (std::int64_t node = first; node < std::min(first + group_size, nodes_); ++node) {
          builder.connect(nics[static_cast<std::size_t>(node)][rail], leaf, node_.nic_cable());
        }
        for (const DeviceId spine : spines) {
          builder.connect(leaf, spine, uplink);
        }
      }
    }
    return builder.take();
  }

 private:
  std::int64_t nodes_;
  NodeParts node_;
  std::int64_t nodes_per_group_;
  std::int64_t spines_;
  double oversubscription_;
  Seconds spine_latency_;
};

const Register<TopologyGenerator, RailOptimised> kRailOptimised{
    "rail_optimised", "servers wired rail by rail to leaf and spine switches"};

}  // namespace
}  // namespace switchyard
