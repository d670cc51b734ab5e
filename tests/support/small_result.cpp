#include "tests/support/small_result.hpp"

#include <algorithm>
#include <utility>

namespace switchyard::testing {
namespace {

ExchangeResult small_exchange(double time_s, std::int32_t link) {
  ExchangeResult exchange;
  exchange.time_s = time_s;
  exchange.lower_bound_s = time_s / 2;
  exchange.mode = "exact";
  exchange.bottleneck_link = link;
  exchange.bottleneck_utilisation = 0.5;
  exchange.inter_node_bytes = 1000;
  exchange.intra_node_bytes = 500;
  exchange.transfers = 12;
  return exchange;
}

// A collective of four ranks, from `start_s` on.
PhaseResult small_collective(const std::string& name,
                             Lane lane,
                             double start_s,
                             double time_s,
                             std::vector<double> ready_s) {
  PhaseResult phase{.name = name, .lane = lane, .bound = Bound::Link};
  phase.bottleneck_link = lane == Lane::Dispatch ? 1 : 0;
  phase.time_s = time_s;
  phase.bytes = 1500;
  phase.start_s = start_s;
  phase.ready_s = std::move(ready_s);
  phase.finish_s = {start_s + time_s / 2, start_s + time_s, start_s + time_s / 4, start_s + time_s};
  return phase;
}

// Dispatch, experts and combine as the replay strings them together.
void add_phases(LayerResult& layer) {
  PhaseResult dispatch = small_collective(
      "dispatch", Lane::Dispatch, layer.rank_start_s[1], 0.002, layer.rank_start_s);
  PhaseResult experts{.name = "experts", .lane = Lane::Compute, .bound = Bound::Memory};
  experts.time_s = 0.003;
  experts.ready_s = dispatch.finish_s;
  experts.finish_s = experts.ready_s;
  for (std::size_t rank = 0; rank < experts.finish_s.size(); ++rank) {
    experts.finish_s[rank] += layer.rank_compute_s[rank];
  }
  const double start_s = *std::max_element(experts.finish_s.begin(), experts.finish_s.end());
  PhaseResult combine =
      small_collective("combine", Lane::Combine, start_s, 0.004, experts.finish_s);
  layer.phases = {std::move(dispatch), std::move(experts), std::move(combine)};
}

LayerResult small_layer(std::int64_t layer, double arrival_s) {
  LayerResult result;
  result.layer = layer;
  result.dispatch = small_exchange(0.002, 1);
  result.combine = small_exchange(0.004, 0);
  result.compute_s = 0.003;
  result.rank_start_s = {arrival_s, arrival_s + 0.001, arrival_s, arrival_s};
  result.rank_compute_s = {0.001, 0.002, 0.003, 0.001};
  add_phases(result);
  result.layer_s = 0.008;
  result.exposed_communication_s = 0.005;
  result.lower_bound_s = 0.003;
  result.expert_imbalance = 1.5 + static_cast<double>(layer) / 10;
  result.rank_imbalance = 1.2;
  result.busiest_expert = 3;
  result.busiest_rank = 1;
  result.pairs = 80;
  result.wait_s = 0.01;
  result.straggler_rank = 3;
  result.expert_rows = {10, 10, 20, 40};
  result.rank_rows = {20, 24, 18, 18};
  return result;
}

}  // namespace

SimulationResult small_result() {
  SimulationResult result;
  result.scenario_json = R"({"ranks":4,"trace":{"path":"x, \"y\".trace"}})";
  result.scenario_hash = "0123456789abcdef";
  result.seed = 7;
  result.fidelity = Fidelity::Ids;
  result.network = "fluid";
  result.network_mode = "exact";
  result.topology = "two_by_two";
  result.ranks = 4;
  result.nodes = 2;
  result.experts = 4;
  result.top_k = 2;
  result.layers = {small_layer(1, 0), small_layer(2, 0.010)};
  result.links = {{"gpu0->switch", 1e9, 3000, 3e-6, 0.008},
                  {"gpu1->switch", 1e9, 2000, 2e-6, 0.004}};
  result.notes = {"topology is uncalibrated: data-sheet rates"};
  TotalResult& total = result.total;
  total.steps = 1;
  total.layers = 2;
  total.dispatch_s = 0.004;
  total.combine_s = 0.008;
  total.compute_s = 0.006;
  total.layer_s = 0.016;
  total.step_s = 0.016;
  total.exposed_communication_s = 0.010;
  total.lower_bound_s = 0.006;
  total.expert_imbalance = 1.7;
  total.rank_imbalance = 1.2;
  total.inter_node_bytes = 4000;
  total.intra_node_bytes = 2000;
  total.wait_s = 0.02;
  total.straggler_rank = 3;
  total.bottleneck_link = 0;
  return result;
}

SimulationResult small_counts_result() {
  SimulationResult result = small_result();
  result.fidelity = Fidelity::Counts;
  for (LayerResult& layer : result.layers) {
    layer.dispatch.reset();
    layer.combine.reset();
    layer.layer_s.reset();
    layer.exposed_communication_s.reset();
    layer.lower_bound_s.reset();
    layer.wait_s.reset();
    layer.straggler_rank = -1;
    layer.rank_start_s.clear();
    layer.phases.clear();
  }
  const double compute_s = result.total.compute_s;
  const double expert_imbalance = result.total.expert_imbalance;
  result.total = {};
  result.total.steps = 1;
  result.total.layers = 2;
  result.total.compute_s = compute_s;
  result.total.expert_imbalance = expert_imbalance;
  return result;
}

}  // namespace switchyard::testing
