// What all placement rules share: the registry, the invariant, and the choice of replica.
#include "sim/placement.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace switchyard {

template class Registry<PlacementRule>;

void check_placement(const Placement& placement, const PlacementInput& input) {
  SWITCHYARD_CHECK(placement.layers.size() == input.layers.size(), "one placement per layer");
  for (const LayerPlacement& layer : placement.layers) {
    SWITCHYARD_CHECK(layer.slot_to_expert.size() == layer.slot_to_rank.size(),
                     "each slot has an expert and a rank");
    std::vector<bool> has_slot(input.experts, false);
    for (std::size_t slot = 0; slot < layer.slot_to_expert.size(); ++slot) {
      const auto expert = static_cast<std::size_t>(layer.slot_to_expert[slot]);
      const auto rank = static_cast<std::size_t>(layer.slot_to_rank[slot]);
      SWITCHYARD_CHECK(expert < input.experts && rank < input.ranks, "slots name what exists");
      has_slot[expert] = true;
    }
    SWITCHYARD_CHECK(std::find(has_slot.begin(), has_slot.end(), false) == has_slot.end(),
                     "every expert has a slot");
  }
}

ExpertRanks::ExpertRanks(const LayerPlacement& placement,
                         std::size_t experts,
                         const Fabric& fabric,
                         std::size_t ranks)
    : experts_(experts) {
  std::vector<std::vector<std::int32_t>> replicas(experts);  // ascending ranks of each expert
  for (std::size_t slot = 0; slot < placement.slot_to_expert.size(); ++slot) {
    replicas[static_cast<std::size_t>(placement.slot_to_expert[slot])].push_back(
        placement.slot_to_rank[slot]);
  }
  for (auto& holders : replicas) {
    std::sort(holders.begin(), holders.end());
    is_replicated_ = is_replicated_ || holders.size() > 1;
  }
  if (!is_replicated_) {
    for (const auto& holders : replicas) {
      ranks_.push_back(holders.front());
    }
    return;
  }
  ranks_.resize(ranks * experts);
  for (std::size_t source = 0; source < ranks; ++source) {
    const NodeId home = fabric.node_of(RankId{source});
    for (std::size_t expert = 0; expert < experts; ++expert) {
      const auto& holders = replicas[expert];
      std::int32_t chosen = holders[source % holders.size()];
      for (const std::int32_t rank : holders) {
        if (fabric.node_of(RankId{rank}) == home) {
          chosen = rank;
          break;
        }
      }
      if (std::binary_search(holders.begin(), holders.end(), static_cast<std::int32_t>(source))) {
        chosen = static_cast<std::int32_t>(source);
      }
      ranks_[source * experts + expert] = chosen;
    }
  }
}

void require_experts_for_ranks(const PlacementInput& input) {
  if (input.experts < input.ranks) {
    throw InvalidInput(fmt::format("{} experts cannot be spread over {} ranks: some ranks would "
                                   "hold none",
                                   input.experts,
                                   input.ranks),
                       {},
                       fmt::format("simulate at most {0} ranks (--ranks {0})", input.experts));
  }
}

}  // namespace switchyard
