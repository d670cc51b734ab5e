// Small fabrics whose times can be worked out on paper.
#pragma once

#include <cstddef>

#include "topologies/fabric.hpp"

namespace switchyard::testing {

/// GPUs on one switch: links "gpu<r>->switch" and "switch->gpu<r>", all alike.
struct StarShape {
  std::size_t ranks = 4;
  BytesPerSecond rate{1e9};
  Seconds latency{0};  // of each of the two links of a route
};

Fabric star(const StarShape& shape);

/// Nodes of GPUs on an NVSwitch each, one NIC per GPU, all NICs on one network switch; link names
/// "n<node>g<gpu>->nvswitch<node>", "n<node>g<gpu>->n<node>nic<gpu>", "n<node>nic<gpu>->network"
/// and the reverse. A NIC of node i runs at nic_rate, at half of it when `is_uneven` and i is odd.
struct NodesShape {
  std::vector<std::size_t> gpus_per_node = {4, 4};
  BytesPerSecond nvlink_rate{400e9};
  BytesPerSecond nic_rate{50e9};
  Seconds link_latency{0};
  bool is_uneven = false;
};

Fabric nodes(const NodesShape& shape);

/// A dumb-bell: half of the ranks on each of two switches that `trunks` parallel middle switches
/// join, so that a pair across has `trunks` equal paths.
struct DumbbellShape {
  std::size_t ranks = 4;
  std::size_t trunks = 2;
  BytesPerSecond rate{1e9};
  BytesPerSecond trunk_rate{1e9};
  PathPolicy policy = PathPolicy::Spread;
};

Fabric dumbbell(const DumbbellShape& shape);

}  // namespace switchyard::testing
