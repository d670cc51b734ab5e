// What all placement rules share: the registry, the invariant, and the loads they balance.
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
    SWITCHYARD_CHECK(
        layer.shards == 1 || (layer.shards == static_cast<std::int32_t>(input.ranks) &&
                              layer.slot_to_expert.size() == input.experts * input.ranks),
        "experts are whole, or cut over all ranks");
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

Matrix<double> loads_by_layer(const PlacementInput& input) {
  SWITCHYARD_CHECK(input.load != nullptr, "the rule asked for loads");
  Matrix<double> loads(input.layers.size(), input.experts);
  for (std::size_t i = 0; i < input.load->rows.size(); ++i) {
    const LoadRow& row = input.load->rows[i];
    const auto layer = std::lower_bound(input.layers.begin(), input.layers.end(), row.layer);
    if (!input.steps.contains(row.step) || layer == input.layers.end() || *layer != row.layer) {
      continue;
    }
    const auto sums = loads.row(static_cast<std::size_t>(layer - input.layers.begin()));
    const auto counts = input.load->counts.row(i);
    for (std::size_t expert = 0; expert < sums.size(); ++expert) {
      sums[expert] += static_cast<double>(counts[expert]);
    }
  }
  return loads;
}

}  // namespace switchyard
