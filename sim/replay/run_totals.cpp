// Sums over layers, worst cases, and which of them to name.
#include <algorithm>
#include <map>
#include <utility>

#include "sim/replay/run_summary.hpp"
#include "sim/replay/step_exchanges.hpp"

namespace switchyard {
namespace {

// Dispatch and combine often mirror each other: rounding must not decide which link is named.
constexpr double kTie = 1e-9;

class Totals {
 public:
  explicit Totals(SimulationResult& result) : result_(result) {}

  void add(const LayerResult& layer);
  /// Shares of what was added.
  void finish();

 private:
  SimulationResult& result_;
  double dropped_pairs_ = 0;
  double rerouted_pairs_ = 0;
  double kept_pairs_ = 0;
  double padded_slots_ = 0;
  double lost_token_fractions_ = 0;
  double gate_masses_ = 0;
  std::int64_t layers_with_gates_ = 0;
};

void add_optional(std::optional<double>& sum, double value) {
  sum = sum.value_or(0) + value;
}

void Totals::add(const LayerResult& layer) {
  TotalResult& total = result_.total;
  total.compute_s += layer.compute_s;
  total.expert_imbalance = std::max(total.expert_imbalance, layer.expert_imbalance);
  total.rank_imbalance = std::max(total.rank_imbalance, layer.rank_imbalance);
  const auto pairs = static_cast<double>(layer.pairs);
  const double kept = pairs * (1 - layer.dropped_fraction);
  dropped_pairs_ += pairs * layer.dropped_fraction;
  rerouted_pairs_ += pairs * layer.rerouted_fraction;
  lost_token_fractions_ += layer.lost_token_fraction;
  gate_masses_ += layer.dropped_gate_mass.value_or(0);
  layers_with_gates_ += layer.dropped_gate_mass ? 1 : 0;
  kept_pairs_ += kept;
  padded_slots_ +=
      layer.padded_fraction < 1 ? kept * layer.padded_fraction / (1 - layer.padded_fraction) : 0;
  if (!layer.dispatch || !layer.combine) {
    return;
  }
  add_optional(total.dispatch_s, layer.dispatch->time_s);
  add_optional(total.combine_s, layer.combine->time_s);
  if (layer.collective) {
    add_optional(total.collective_s, layer.collective->time_s);
  }
  add_optional(total.layer_s, *layer.layer_s);
  add_optional(total.exposed_communication_s, *layer.exposed_communication_s);
  add_optional(total.lower_bound_s, *layer.lower_bound_s);
  add_optional(total.wait_s, *layer.wait_s);
  for (const auto* exchange : {&layer.dispatch, &layer.combine, &layer.collective}) {
    if (!*exchange) {
      continue;
    }
    add_optional(total.inter_node_bytes, (*exchange)->inter_node_bytes);
    add_optional(total.intra_node_bytes, (*exchange)->intra_node_bytes);
    if ((*exchange)->window_epsilon > 0 || result_.network_mode.empty()) {
      result_.network_mode = (*exchange)->mode;
      result_.window_epsilon = (*exchange)->window_epsilon;
    }
  }
}

void Totals::finish() {
  TotalResult& total = result_.total;
  const double pairs = dropped_pairs_ + kept_pairs_;
  total.dropped_fraction = pairs > 0 ? dropped_pairs_ / pairs : 0;
  total.rerouted_fraction = pairs > 0 ? rerouted_pairs_ / pairs : 0;
  total.padded_fraction = padded_slots_ > 0 ? padded_slots_ / (kept_pairs_ + padded_slots_) : 0;
  if (total.layers > 0) {
    total.lost_token_fraction = lost_token_fractions_ / static_cast<double>(total.layers);
  }
  if (layers_with_gates_ > 0) {
    total.dropped_gate_mass = gate_masses_ / static_cast<double>(layers_with_gates_);
  }
}

std::size_t worst_layer(const std::vector<LayerResult>& layers) {
  const auto badness = [](const LayerResult& layer) {
    return std::pair(layer.layer_s.value_or(0), layer.rank_imbalance);
  };
  const auto worst = std::max_element(
      layers.begin(), layers.end(), [&](const LayerResult& a, const LayerResult& b) {
        return badness(a) < badness(b);
      });
  return static_cast<std::size_t>(worst - layers.begin());
}

std::int32_t most_frequent_straggler(const std::vector<LayerResult>& layers) {
  std::map<std::int32_t, int> counts;
  for (const LayerResult& layer : layers) {
    ++counts[layer.straggler_rank];
  }
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
        return a.second < b.second;
      });
  return most == counts.end() ? -1 : most->first;
}

std::int64_t step_count(const std::vector<LayerResult>& layers) {
  std::int64_t steps = layers.empty() ? 0 : 1;
  for (std::size_t i = 1; i < layers.size(); ++i) {
    steps += layers[i].step != layers[i - 1].step ? 1 : 0;
  }
  return steps;
}

std::int32_t bottleneck_of(const std::vector<LinkResult>& links) {
  std::int32_t bottleneck = -1;
  double worst_s = 0;
  for (std::size_t link = 0; link < links.size(); ++link) {
    if (links[link].bottleneck_s > worst_s * (1 + kTie)) {
      worst_s = links[link].bottleneck_s;
      bottleneck = static_cast<std::int32_t>(link);
    }
  }
  return bottleneck;
}

}  // namespace

void sum_up(const Scenario& scenario, SimulationResult& result) {
  Totals totals(result);
  for (const LayerResult& layer : result.layers) {
    totals.add(layer);
  }
  TotalResult& total = result.total;
  total.layers = static_cast<std::int64_t>(result.layers.size());
  total.steps = step_count(result.layers);
  totals.finish();
  if (total.layer_s && total.steps > 0) {
    total.step_s = *total.layer_s / static_cast<double>(total.steps);
    add_step_exchanges(scenario, result.layers, total);
  }
  for (LinkResult& link : result.links) {
    link.busy_s = link.bandwidth > 0 ? link.bytes / link.bandwidth : 0;
  }
  total.bottleneck_link = bottleneck_of(result.links);
  if (!result.layers.empty()) {
    total.worst_layer = worst_layer(result.layers);
    total.straggler_rank = most_frequent_straggler(result.layers);
  }
}

}  // namespace switchyard
