#include "sim/balancing/eplb.hpp"

#include <algorithm>
#include <numeric>

#include "core/check.hpp"
#include "sim/balancing/packing.hpp"

namespace switchyard {
namespace {

// Copies of the experts of one node.
struct Copies {
  std::vector<std::size_t> copy_to_expert;  // [copies]
  std::vector<float> count;                 // [experts] copies of each
};

// Each further copy goes to the expert whose copies are the busiest; ties to the lower expert.
Copies replicate(std::span<const float> loads, std::size_t copies) {
  Copies result{std::vector<std::size_t>(copies), std::vector<float>(loads.size(), 1.0F)};
  std::iota(result.copy_to_expert.begin(),
            result.copy_to_expert.begin() + static_cast<std::ptrdiff_t>(loads.size()),
            std::size_t{0});
  for (std::size_t copy = loads.size(); copy < copies; ++copy) {
    std::size_t busiest = 0;
    for (std::size_t expert = 1; expert < loads.size(); ++expert) {
      if (loads[expert] / result.count[expert] > loads[busiest] / result.count[busiest]) {
        busiest = expert;
      }
    }
    result.copy_to_expert[copy] = busiest;
    ++result.count[busiest];
  }
  return result;
}

// Step 1: experts in the order of the nodes that their groups are packed to.
std::vector<std::size_t> experts_by_node(std::span<const float> loads,
                                         std::size_t groups,
                                         std::size_t nodes) {
  const std::size_t group_size = loads.size() / groups;
  std::vector<float> group_loads(groups, 0);
  for (std::size_t expert = 0; expert < loads.size(); ++expert) {
    group_loads[expert / group_size] += loads[expert];
  }
  const Packing packing = pack_evenly(group_loads, nodes);
  std::vector<std::size_t> order(loads.size());
  for (std::size_t expert = 0; expert < loads.size(); ++expert) {
    const std::size_t group = expert / group_size;
    const std::size_t place = packing.pack[group] * (groups / nodes) + packing.index_in_pack[group];
    order[place * group_size + expert % group_size] = expert;
  }
  return order;
}

}  // namespace

std::vector<std::int32_t> eplb_layer(std::span<const float> loads, const EplbShape& shape) {
  const bool is_hierarchical = shape.groups % shape.nodes == 0 && loads.size() % shape.groups == 0;
  const std::size_t groups = is_hierarchical ? shape.groups : 1;
  const std::size_t nodes = is_hierarchical ? shape.nodes : 1;
  SWITCHYARD_CHECK(
      shape.slots % shape.ranks == 0 && shape.ranks % nodes == 0 && shape.slots >= loads.size(),
      "EPLB needs equally many slots on every rank, and a slot for every expert");
  const std::vector<std::size_t> order = experts_by_node(loads, groups, nodes);
  const std::size_t node_experts = loads.size() / nodes;
  const std::size_t node_slots = shape.slots / nodes;
  const std::size_t node_ranks = shape.ranks / nodes;
  const std::size_t rank_slots = shape.slots / shape.ranks;
  std::vector<std::int32_t> slot_to_expert(shape.slots);
  for (std::size_t node = 0; node < nodes; ++node) {
    std::vector<float> node_loads(node_experts);
    for (std::size_t i = 0; i < node_experts; ++i) {
      node_loads[i] = loads[order[node * node_experts + i]];
    }
    // Step 2: redundant copies within the node.
    const Copies copies = replicate(node_loads, node_slots);
    // Step 3: copies to the node's ranks.
    std::vector<float> copy_loads(node_slots);
    for (std::size_t copy = 0; copy < node_slots; ++copy) {
      const std::size_t expert = copies.copy_to_expert[copy];
      copy_loads[copy] = node_loads[expert] / copies.count[expert];
    }
    const Packing packing = pack_evenly(copy_loads, node_ranks);
    for (std::size_t copy = 0; copy < node_slots; ++copy) {
      const std::size_t slot =
          node * node_slots + packing.pack[copy] * rank_slots + packing.index_in_pack[copy];
      slot_to_expert[slot] =
          static_cast<std::int32_t>(order[node * node_experts + copies.copy_to_expert[copy]]);
    }
  }
  return slot_to_expert;
}

}  // namespace switchyard
