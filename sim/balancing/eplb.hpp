// EPLB, DeepSeek's expert-parallel load balancer (deepseek-ai/EPLB, MIT licence; described in the
// DeepSeek-V3 report, arXiv 2412.19437, section 3.4): which experts get replicas, and where all
// copies go. Gives the same answer as the published program, slot by slot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace switchyard {

struct EplbShape {
  std::size_t slots = 0;   // copies of experts, a multiple of `ranks`
  std::size_t groups = 1;  // of consecutive experts, kept on one node when packed hierarchically
  std::size_t nodes = 1;
  std::size_t ranks = 1;  // a multiple of `nodes`
};

/// Slot -> expert, [slots]; slot s is on rank s / (slots / ranks). `loads` [experts].
///
/// Hierarchical if `groups` divide over the nodes: groups are packed to nodes, experts replicated
/// inside each node, copies packed to the node's ranks. Otherwise global: one group, one node.
std::vector<std::int32_t> eplb_layer(std::span<const float> loads, const EplbShape& shape);

}  // namespace switchyard
