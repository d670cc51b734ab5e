// The two upper layers that several generators share: leaf switches over NICs, spines over leaves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/parameters.hpp"
#include "topologies/building_blocks/fabric_builder.hpp"

namespace switchyard {

/// A leaf switch to be: its name and the NICs plugged into it.
struct LeafPlan {
  std::string name;
  std::vector<DeviceId> nics;
};

/// The parameters of the upper layers and the making of them. Every leaf has a link to every spine;
/// all are of one rate: the NIC ports of the fullest leaf / (oversubscription * spines).
class LeafSpine {
 public:
  explicit LeafSpine(Parameters& parameters);

  /// `nic` is a NIC's port and the cable in it.
  void add_to(FabricBuilder& builder, const std::vector<LeafPlan>& leaves, const Cable& nic) const;

 private:
  std::int64_t spines_;
  double oversubscription_;
  Seconds spine_latency_;
};

}  // namespace switchyard
