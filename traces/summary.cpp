#include "traces/summary.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "core/numbers/statistics.hpp"

namespace switchyard {
namespace {

LayerSummary summarise_layer(std::int64_t layer, const std::vector<double>& loads) {
  const auto hottest = std::max_element(loads.begin(), loads.end());
  return {.layer = layer,
          .selections = static_cast<std::int64_t>(sum(loads)),
          .imbalance = imbalance(loads),
          .hottest_expert = hottest - loads.begin(),
          .idle_experts = std::count(loads.begin(), loads.end(), 0.0),
          .coefficient_of_variation = coefficient_of_variation(loads),
          .gini = gini(loads),
          .normalised_entropy = normalised_entropy(loads)};
}

void summarise_load(const ExpertLoad& load, RoutingSummary& summary) {
  std::map<std::int64_t, std::vector<double>> by_layer;
  std::set<std::int64_t> steps;
  std::int64_t highest_rank = -1;
  for (std::size_t i = 0; i < load.rows.size(); ++i) {
    steps.insert(load.rows[i].step);
    highest_rank = std::max(highest_rank, load.rows[i].source_rank);
    std::vector<double>& loads = by_layer[load.rows[i].layer];
    loads.resize(load.counts.columns());
    for (std::size_t expert = 0; expert < loads.size(); ++expert) {
      loads[expert] += static_cast<double>(load.counts(i, expert));
    }
  }
  summary.steps = static_cast<std::int64_t>(steps.size());
  summary.source_ranks = highest_rank + 1;
  for (const auto& [layer, loads] : by_layer) {
    summary.layers.push_back(summarise_layer(layer, loads));
  }
}

std::vector<std::string> columns_of(const RoutingTrace& trace) {
  const Chunk none{};
  std::vector<std::string> names;
  const auto add = [&names](bool is_present, const char* name) {
    if (is_present) {
      names.emplace_back(name);
    }
  };
  add(trace.gate_weights(none).has_value(), "gate_weights");
  add(trace.logits(none).has_value(), "logits");
  add(trace.token_ids(none).has_value(), "token_ids");
  add(trace.sequence_ids(none).has_value(), "sequence_ids");
  add(trace.modality(none).has_value(), "modality");
  add(trace.alive(none).has_value(), "alive");
  add(trace.precision(none).has_value(), "precision");
  return names;
}

}  // namespace

RoutingSummary summarise(const RoutingData& routing) {
  RoutingSummary summary;
  summary.fidelity = fidelity_of(routing);
  summary.metadata = metadata_of(routing);
  if (const auto* load = std::get_if<ExpertLoad>(&routing)) {
    summarise_load(*load, summary);
    return summary;
  }
  const auto& trace = std::get<RoutingTrace>(routing);
  summarise_load(count_selections(trace, false), summary);
  summary.source_ranks = static_cast<std::int64_t>(trace.source_rank_count());
  summary.rows = static_cast<std::int64_t>(trace.row_count());
  summary.columns = columns_of(trace);
  summary.empty_choices = summary.rows * static_cast<std::int64_t>(trace.top_k());
  for (const LayerSummary& layer : summary.layers) {
    summary.empty_choices -= layer.selections;
  }
  return summary;
}

}  // namespace switchyard
