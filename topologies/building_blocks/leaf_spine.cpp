#include "topologies/building_blocks/leaf_spine.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace switchyard {

LeafSpine::LeafSpine(Parameters& parameters)
    : spines_(parameters.get_integer("spines", 4, {1, 1024}, "spine switches")),
      oversubscription_(parameters.get_number(
          "oversubscription", 1, {0.01, 1000}, "NIC rate below a leaf over the rate above it")),
      spine_latency_(parameters.get_duration(
          "spine_latency", Seconds{500e-9}, "leaf to spine, with the leaf's forwarding")) {}

void LeafSpine::add_to(FabricBuilder& builder,
                       const std::vector<LeafPlan>& leaves,
                       const Cable& nic) const {
  std::vector<DeviceId> spines;
  for (std::int64_t i = 0; i < spines_; ++i) {
    spines.push_back(builder.add_device(fmt::format("spine{}", i), DeviceKind::Switch));
  }
  std::size_t most_nics = 0;
  for (const LeafPlan& leaf : leaves) {
    most_nics = std::max(most_nics, leaf.nics.size());
  }
  const double uplink_share =
      static_cast<double>(most_nics) / (oversubscription_ * static_cast<double>(spines_));
  const Cable uplink{.bandwidth = nic.bandwidth * uplink_share, .latency = spine_latency_};
  for (const LeafPlan& plan : leaves) {
    const DeviceId leaf = builder.add_device(plan.name, DeviceKind::Switch);
    for (const DeviceId port : plan.nics) {
      builder.connect(port, leaf, nic);
    }
    for (const DeviceId spine : spines) {
      builder.connect(leaf, spine, uplink);
    }
  }
}

}  // namespace switchyard
