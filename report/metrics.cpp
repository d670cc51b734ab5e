#include "report/metrics.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

namespace switchyard {
namespace {

MetricValue value_of(const std::optional<double>& number) {
  return number ? MetricValue(*number) : MetricValue();
}

MetricValue index_of(std::int32_t number) {
  return number < 0 ? MetricValue() : MetricValue(static_cast<std::int64_t>(number));
}

MetricValue name_of(std::string name) {
  return name.empty() ? MetricValue() : MetricValue(std::move(name));
}

std::optional<double> seconds_of(const std::optional<ExchangeResult>& exchange) {
  return exchange ? std::optional(exchange->time_s) : std::nullopt;
}

std::optional<double> bytes_of(const LayerResult& layer, double ExchangeResult::*bytes) {
  if (!layer.dispatch && !layer.combine) {
    return std::nullopt;
  }
  double sum = 0;
  for (const auto* exchange : {&layer.dispatch, &layer.combine, &layer.collective}) {
    sum += *exchange ? (**exchange).*bytes : 0.0;
  }
  return sum;
}

}  // namespace

std::string link_name(const SimulationResult& result, std::int32_t link) {
  const auto index = static_cast<std::size_t>(link);
  return link >= 0 && index < result.links.size() ? result.links[index].name : std::string();
}

std::vector<PhaseSum> phase_sums(const SimulationResult& result) {
  std::vector<PhaseSum> sums;
  for (const LayerResult& layer : result.layers) {
    for (const PhaseResult& phase : layer.phases) {
      auto found = std::find_if(
          sums.begin(), sums.end(), [&](const PhaseSum& sum) { return sum.name == phase.name; });
      if (found == sums.end()) {
        sums.push_back({.name = phase.name, .lane = phase.lane});
        found = std::prev(sums.end());
      }
      found->time_s += phase.time_s;
      found->bytes += phase.bytes;
      found->bound_s[phase.bound] += phase.time_s;
    }
  }
  return sums;
}

Bound PhaseSum::bound() const {
  Bound longest = Bound::Nothing;
  double time = 0;
  for (const auto& [bound, seconds] : bound_s) {
    if (seconds > time) {
      longest = bound;
      time = seconds;
    }
  }
  return longest;
}

const ExchangeResult* slower_exchange(const LayerResult& layer) {
  if (!layer.dispatch || !layer.combine) {
    return layer.dispatch ? &*layer.dispatch : layer.combine ? &*layer.combine : nullptr;
  }
  return layer.dispatch->time_s >= layer.combine->time_s ? &*layer.dispatch : &*layer.combine;
}

std::vector<Metric> layer_metrics(const SimulationResult& result, const LayerResult& layer) {
  const ExchangeResult* slower = slower_exchange(layer);
  const std::int32_t bottleneck = slower != nullptr ? slower->bottleneck_link : -1;
  return {{"dispatch_s", value_of(seconds_of(layer.dispatch))},
          {"combine_s", value_of(seconds_of(layer.combine))},
          {"compute_s", layer.compute_s},
          {"layer_s", value_of(layer.layer_s)},
          {"exposed_communication_s", value_of(layer.exposed_communication_s)},
          {"lower_bound_s", value_of(layer.lower_bound_s)},
          {"bottleneck_link", name_of(link_name(result, bottleneck))},
          {"expert_imbalance", layer.expert_imbalance},
          {"rank_imbalance", layer.rank_imbalance},
          {"dropped_fraction", layer.dropped_fraction},
          {"padded_fraction", layer.padded_fraction},
          {"inter_node_bytes", value_of(bytes_of(layer, &ExchangeResult::inter_node_bytes))},
          {"intra_node_bytes", value_of(bytes_of(layer, &ExchangeResult::intra_node_bytes))},
          {"lost_token_fraction", layer.lost_token_fraction},
          {"dropped_gate_mass", value_of(layer.dropped_gate_mass)},
          {"collective_s", value_of(seconds_of(layer.collective))}};
}

std::vector<Metric> total_metrics(const SimulationResult& result) {
  const TotalResult& total = result.total;
  return {{"dispatch_s", value_of(total.dispatch_s)},
          {"combine_s", value_of(total.combine_s)},
          {"compute_s", total.compute_s},
          {"layer_s", value_of(total.layer_s)},
          {"exposed_communication_s", value_of(total.exposed_communication_s)},
          {"lower_bound_s", value_of(total.lower_bound_s)},
          {"bottleneck_link", name_of(link_name(result, total.bottleneck_link))},
          {"expert_imbalance", total.expert_imbalance},
          {"rank_imbalance", total.rank_imbalance},
          {"dropped_fraction", total.dropped_fraction},
          {"padded_fraction", total.padded_fraction},
          {"inter_node_bytes", value_of(total.inter_node_bytes)},
          {"intra_node_bytes", value_of(total.intra_node_bytes)},
          {"step_s", value_of(total.step_s)},
          {"straggler_rank", index_of(total.straggler_rank)},
          {"wait_s", value_of(total.wait_s)},
          {"lost_token_fraction", total.lost_token_fraction},
          {"dropped_gate_mass", value_of(total.dropped_gate_mass)},
          {"collective_s", value_of(total.collective_s)}};
}

}  // namespace switchyard
