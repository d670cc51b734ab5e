#include "sim/affinity/crossing_report.hpp"

#include <numeric>

#include "sim/affinity/transitions.hpp"
#include "sim/replay/placement_plan.hpp"

namespace switchyard {
namespace {

Parts ranks_by_expert(const Placement& placement, const PlacementInput& input) {
  Parts parts;
  for (const LayerPlacement& layer : placement.layers) {
    if (layer.slot_to_expert.size() != input.experts) {
      throw MissingCapability(
          "crossings need one place for every expert; this placement has copies",
          {"scenario", "#/placement"},
          "choose a placement without replicas, such as exflow or greedy");
    }
    std::vector<std::int32_t>& ranks = parts.emplace_back(input.experts);
    for (std::size_t slot = 0; slot < input.experts; ++slot) {
      ranks[static_cast<std::size_t>(layer.slot_to_expert[slot])] = layer.slot_to_rank[slot];
    }
  }
  return parts;
}

std::int64_t sum_of(const Matrix<std::int64_t>& counts) {
  return std::accumulate(counts.values().begin(), counts.values().end(), std::int64_t{0});
}

}  // namespace

CrossingReport report_crossings(const Scenario& scenario) {
  require_fidelity(fidelity_of(*scenario.routing), Fidelity::Ids, "following tokens");
  const auto& trace = std::get<RoutingTrace>(*scenario.routing);
  const PlacementPlan plan(scenario);
  const PlacementInput input = placement_input(scenario);
  const Parts ranks = ranks_by_expert(plan.epochs().back().placement, input);
  Parts nodes = ranks;
  for (auto& layer : nodes) {
    for (std::int32_t& rank : layer) {
      rank = scenario.fabric->node_of(RankId{rank}).value;
    }
  }
  const Transitions transitions = count_transitions(trace, input.layers);
  CrossingReport report;
  if (transitions.counts.empty() || transitions.total() == 0) {
    return report;
  }
  const auto pairs = static_cast<double>(transitions.counts.size());
  const double tokens = static_cast<double>(transitions.total()) / pairs;
  report.tokens = static_cast<std::int64_t>(tokens);
  report.per_token = static_cast<double>(crossings(transitions, ranks)) / tokens;
  report.node_per_token = static_cast<double>(crossings(transitions, nodes)) / tokens;
  report.memoryless = pairs * (1 - 1 / static_cast<double>(scenario.ranks));
  for (std::size_t layer = 0; layer < transitions.counts.size(); ++layer) {
    const Transitions one{{transitions.counts[layer]}};
    const auto moved = static_cast<double>(crossings(one, {ranks[layer], ranks[layer + 1]}));
    const auto all = static_cast<double>(sum_of(transitions.counts[layer]));
    report.by_layer.push_back(all > 0 ? moved / all : 0);
  }
  return report;
}

}  // namespace switchyard
