// One server as a foreign file describes it, and the cluster of equal servers made of it: such
// files end at the NIC, so the network between servers comes from parameters.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "topologies/building_blocks/accelerator_table.hpp"
#include "topologies/building_blocks/leaf_spine.hpp"

namespace switchyard {

struct ServerPlan {
  struct Part {
    std::string name;  // within the server: "gpu0"
    DeviceKind kind = DeviceKind::Gpu;
  };

  struct Wire {
    std::size_t one = 0;  // indexes into parts
    std::size_t other = 0;
    Cable cable;
  };

  struct Port {
    std::size_t part = 0;   // of the NIC
    BytesPerSecond rate{};  // 0 = the file does not say
  };

  std::vector<Part> parts;
  std::vector<Wire> wires;
  std::vector<Port> ports;
  std::set<std::string> assumptions;  // what the file does not say and a table or rule filled in
};

/// The parameters that every one-server format shares.
class ServerFleet {
 public:
  explicit ServerFleet(Parameters& parameters);

  /// The accelerator that the user named; null for "auto".
  [[nodiscard]] const Accelerator* accelerator() const { return accelerator_; }

  /// A cable of `links` NVLink or xGMI links.
  [[nodiscard]] Cable scale_up_cable(const Accelerator& accelerator, std::int32_t links) const;
  /// `hops` weighs the way against NVLink, see Link::cost.
  [[nodiscard]] Cable pcie_cable(BytesPerSecond rate, std::int32_t hops) const;

  /// `nodes` copies of the server, joined by rails where there are several. The fabric's source
  /// text tells the file and the assumptions. Throws InvalidInput at `where`.
  [[nodiscard]] Fabric build(ServerPlan plan,
                             const Accelerator& accelerator,
                             const Location& where) const;

 private:
  std::int64_t nodes_;
  std::int64_t nodes_per_group_;
  const Accelerator* accelerator_ = nullptr;
  BytesPerSecond link_rate_;
  BytesPerSecond nic_rate_;
  Seconds link_latency_;
  Seconds pcie_latency_;
  Seconds nic_latency_;
  LeafSpine upper_;
};

}  // namespace switchyard
