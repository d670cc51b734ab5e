// The two upper layers that several generators and importers share: leaf switches over NICs, spines
// over leaves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/components/parameters.hpp"
#include "topologies/building_blocks/fabric_builder.hpp"

namespace switchyard {

/// A NIC with its port and the cable in it.
struct NicPort {
  DeviceId nic;
  Cable cable;
};

/// A leaf switch to be: its name and what is plugged into it.
struct LeafPlan {
  std::string name;
  std::vector<NicPort> ports;
};

/// One leaf per rail and group of servers: port r of every server of a group meets at its leaf r.
/// `ports_by_node` [nodes][rails].
std::vector<LeafPlan> rail_leaves(const std::vector<std::vector<NicPort>>& ports_by_node,
                                  std::size_t nodes_per_group);

/// The parameters of the upper layers and the making of them. Every leaf has a link to every spine;
/// all are of one rate: the NIC ports of the thickest leaf / (oversubscription * spines).
class LeafSpine {
 public:
  explicit LeafSpine(Parameters& parameters);

  void add_to(FabricBuilder& builder, const std::vector<LeafPlan>& leaves) const;

 private:
  std::int64_t spines_;
  double oversubscription_;
  Seconds spine_latency_;
};

}  // namespace switchyard
