// What a GPU server is made of, shared by the generators that wire servers together.
#pragma once

#include <cstdint>
#include <vector>

#include "core/components/parameters.hpp"
#include "topologies/building_blocks/leaf_spine.hpp"

namespace switchyard {

/// The parameters of a server and the making of it.
///
///   gpu0  gpu1 ... gpuG-1        `nvlink` each, to one switch that stands for all NVSwitches
///    | \   | \       | \                                                                       (*)
///    |  +--|--+------|--+--- nvswitch
///   nic0  nic1 ...  nicG-1       `pcie`; the NIC's own port has the rate of what it is plugged in
///
/// (*) GPUs stripe over all NVSwitches of a node, so one switch with the sum of the rates does the
/// same.
class NodeParts {
 public:
  explicit NodeParts(Parameters& parameters);

  struct Node {
    std::vector<DeviceId> gpus;  // [gpus per node]
    std::vector<NicPort> ports;  // [gpus per node * nics per gpu], those of one GPU together
  };

  /// Adds "node<number>.gpu...", "node<number>.nic..." and "node<number>.nvswitch".
  Node add_to(FabricBuilder& builder, std::int64_t number) const;

  [[nodiscard]] std::int64_t gpu_count() const { return gpus_per_node_; }

  [[nodiscard]] std::int64_t nics_per_gpu() const { return nics_per_gpu_; }

  /// A NIC's port and the cable in it.
  [[nodiscard]] const Cable& nic_cable() const { return nic_; }

 private:
  std::int64_t gpus_per_node_;
  std::int64_t nics_per_gpu_;
  Cable nvlink_;
  Cable pcie_;
  Cable nic_;
};

}  // namespace switchyard
