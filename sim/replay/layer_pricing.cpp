// The three ways to a traffic matrix: straight from the mapped rows (nothing is dropped), through a
// copy that the capacity policy edits, or from counts.
#include "sim/replay/layer_pricing.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/numbers/statistics.hpp"
#include "sim/replay/calibrated_exchange.hpp"

namespace switchyard {
namespace {

std::vector<double> as_doubles(std::span<const std::int64_t> values) {
  return {values.begin(), values.end()};
}

std::int32_t index_of_largest(std::span<const std::int64_t> values) {
  return static_cast<std::int32_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

double fraction(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

// A trace's row and the rank it starts on.
struct RowOrigin {
  std::int32_t rank = 0;
  std::size_t position = 0;  // into StepLayer::chunks
  std::size_t row = 0;       // inside that chunk
};

// Every row of the layer, in order of source rank, then token.
std::vector<RowOrigin> rows_by_rank(const StepLayer& step_layer, const RankAssignment& ranks) {
  std::vector<RowOrigin> rows;
  for (std::size_t position = 0; position < step_layer.chunks.size(); ++position) {
    const std::vector<std::int32_t> of_rows = ranks.ranks_of(step_layer, position);
    for (std::size_t row = 0; row < of_rows.size(); ++row) {
      rows.push_back({of_rows[row], position, row});
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const RowOrigin& a, const RowOrigin& b) {
    return a.rank < b.rank;
  });
  return rows;
}

void copy_ids(const RoutingTrace& trace,
              const Chunk& chunk,
              std::size_t row,
              std::size_t expert_count,
              std::span<std::int32_t> out) {
  const ExpertIds ids = trace.expert_ids(chunk);
  for (std::size_t choice = 0; choice < out.size(); ++choice) {
    const std::int32_t id = ids.at(row, choice);
    if (id != kNoExpert && (id < 0 || static_cast<std::size_t>(id) >= expert_count)) {
      throw_expert_out_of_range(trace, chunk, row, id);
    }
    out[choice] = id;
  }
}

// Refuses early what the trace cannot give to the capacity policy.
void check_fidelity(const CapacityPolicy& capacity, const RoutingData& routing) {
  if (capacity.keeps_everything()) {
    return;
  }
  require_fidelity(fidelity_of(routing), Fidelity::Ids, "a capacity limit");
  const auto* trace = std::get_if<RoutingTrace>(&routing);
  const bool has_chunks = !trace->chunks().empty();
  if (has_chunks && capacity.needs_weights() && !trace->gate_weights(trace->chunks().front())) {
    require_fidelity(Fidelity::Ids, Fidelity::Weights, "capacity by gate weight");
  }
  if (has_chunks && capacity.needs_logits() && !trace->logits(trace->chunks().front())) {
    throw MissingCapability("this capacity policy needs the router logits of each token",
                            trace->where(),
                            "the trace holds none: record logits (Megatron's logit sidecar, "
                            "switchyard route --logits), or choose capacity drop");
  }
}

void fill_loads(const TrafficMatrix& traffic, LayerResult& result) {
  const Matrix<std::int64_t>& rows = traffic.expert_rows;
  result.expert_rows.assign(rows.columns(), 0);
  result.rank_rows.assign(rows.rows(), 0);
  for (std::size_t rank = 0; rank < rows.rows(); ++rank) {
    for (std::size_t expert = 0; expert < rows.columns(); ++expert) {
      result.expert_rows[expert] += rows(rank, expert);
      result.rank_rows[rank] += rows(rank, expert);
    }
  }
  result.expert_imbalance = imbalance(as_doubles(result.expert_rows));
  result.rank_imbalance = imbalance(as_doubles(result.rank_rows));
  result.busiest_expert = index_of_largest(result.expert_rows);
  result.busiest_rank = index_of_largest(result.rank_rows);
}

void fill_capacity(const CapacityOutcome& outcome, const CapacityLoss& loss, LayerResult& result) {
  SWITCHYARD_CHECK(outcome.pairs == outcome.kept + outcome.dropped,
                   "pairs routed = kept + dropped");
  result.pairs = outcome.pairs;
  result.dropped_fraction = fraction(outcome.dropped, outcome.pairs);
  result.rerouted_fraction = fraction(outcome.rerouted, outcome.pairs);
  result.padded_fraction = fraction(outcome.padded, outcome.kept + outcome.padded);
  result.lost_token_fraction = fraction(loss.lost_tokens, loss.tokens);
  result.dropped_gate_mass = loss.dropped_gate_mass;
}

}  // namespace

LayerPricer::LayerPricer(const Scenario& scenario)
    : scenario_(scenario),
      trace_(std::get_if<RoutingTrace>(scenario.routing.get())),
      load_(std::get_if<ExpertLoad>(scenario.routing.get())) {
  check_fidelity(*scenario.capacity, *scenario.routing);
  if (metadata_of(*scenario.routing).merges_experts) {
    throw MissingCapability(
        "the router merges experts by their weights and sends no token; no schedule prices that "
        "yet",
        trace_ != nullptr ? trace_->where() : load_->where,
        "simulate the trace of a router that dispatches tokens, or compare its experts by inspect");
  }
  if (trace_ != nullptr) {
    ranks_.emplace(*trace_, scenario.rank_rule, scenario.ranks);
  } else {
    for (std::size_t row = 0; row < load_->rows.size(); ++row) {
      const bool is_next = row == 0 || load_->rows[row].step != load_->rows[row - 1].step ||
                           load_->rows[row].layer != load_->rows[row - 1].layer;
      if (is_next) {
        load_groups_.push_back({row, row});
      }
      load_groups_.back().last = row + 1;
    }
  }
  placements_.emplace(scenario, ranks_ ? &*ranks_ : nullptr);
}

std::size_t LayerPricer::layer_count() const {
  return trace_ != nullptr ? trace_->step_layers().size() : load_groups_.size();
}

LayerPricer::CountedLayer LayerPricer::count_tokens(const StepLayer& step_layer) const {
  if (!scenario_.capacity->keeps_everything()) {
    return count_with_capacity(*trace_, step_layer, *ranks_);
  }
  const auto experts = static_cast<std::size_t>(scenario_.model.experts);
  TrafficCounter counter(placements_->at(step_layer.step, step_layer.layer),
                         *scenario_.fabric,
                         scenario_.ranks,
                         experts);
  for (std::size_t position = 0; position < step_layer.chunks.size(); ++position) {
    const Chunk& chunk = trace_->chunks()[step_layer.chunks[position]];
    counter.add(*trace_, chunk, trace_->expert_ids(chunk), ranks_->ranks_of(step_layer, position));
    trace_->release(chunk);
  }
  CountedLayer counted{.traffic = counter.take(), .capacity = {}, .loss = {}};
  counted.capacity.pairs = counted.traffic.pairs;
  counted.capacity.kept = counted.capacity.pairs;
  return counted;
}

LayerPricer::CountedLayer LayerPricer::count_with_capacity(const RoutingTrace& trace,
                                                           const StepLayer& step_layer,
                                                           const RankAssignment& ranks) const {
  const std::vector<RowOrigin> rows = rows_by_rank(step_layer, ranks);
  const auto experts = static_cast<std::size_t>(scenario_.model.experts);
  // Weights are read where there are any: they tell what a dropped choice was worth.
  const bool with_weights =
      !rows.empty() && trace.gate_weights(trace.chunks()[step_layer.chunks.front()]).has_value();
  const bool with_logits = scenario_.capacity->needs_logits();
  LayerTokens tokens{
      .experts = experts,
      .ranks = scenario_.ranks,
      .expert_ids = Matrix<std::int32_t>(rows.size(), trace.top_k()),
      .gate_weights = Matrix<float>(with_weights ? rows.size() : 0, trace.top_k()),
      .logits = Matrix<float>(with_logits ? rows.size() : 0, experts),
      .source_rank = {},
      .layer = step_layer.layer,
      .hidden = static_cast<std::size_t>(scenario_.model.hidden),
      .zero_cost_experts = static_cast<std::size_t>(scenario_.model.zero_cost_experts),
      .seed = scenario_.seed};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Chunk& chunk = trace.chunks()[step_layer.chunks[rows[i].position]];
    copy_ids(trace, chunk, rows[i].row, experts, tokens.expert_ids.row(i));
    if (with_weights) {
      trace.gate_weights(chunk)->copy_row(rows[i].row, tokens.gate_weights.row(i));
    }
    if (with_logits) {
      trace.logits(chunk)->copy_row(rows[i].row, tokens.logits.row(i));
    }
    tokens.source_rank.push_back(rows[i].rank);
  }
  const Matrix<std::int32_t> wishes = tokens.expert_ids;
  CountedLayer counted{.traffic = {}, .capacity = scenario_.capacity->apply(tokens), .loss = {}};
  counted.loss = capacity_loss(wishes, tokens);
  TrafficCounter counter(placements_->at(step_layer.step, step_layer.layer),
                         *scenario_.fabric,
                         scenario_.ranks,
                         experts);
  counter.add(tokens.expert_ids, tokens.source_rank);
  if (!counted.capacity.padded_slots.empty()) {
    counter.pad_to(counted.capacity.padded_slots);
  }
  counted.traffic = counter.take();
  return counted;
}

LayerPricer::CountedLayer LayerPricer::count_loads(const LoadGroup& group) const {
  const auto experts = static_cast<std::size_t>(scenario_.model.experts);
  const LoadRow& first = load_->rows[group.first];
  TrafficCounter counter(
      placements_->at(first.step, first.layer), *scenario_.fabric, scenario_.ranks, experts);
  CountedLayer counted;
  for (std::size_t row = group.first; row < group.last; ++row) {
    const std::int64_t source = load_->rows[row].source_rank;
    counted.has_sources = counted.has_sources && source >= 0;
    counter.add_counts(static_cast<std::size_t>(std::max<std::int64_t>(source, 0)),
                       load_->counts.row(row));
  }
  counted.traffic = counter.take();
  counted.capacity.pairs = counted.traffic.pairs;
  counted.capacity.kept = counted.capacity.pairs;
  return counted;
}

PricedExchange LayerPricer::price_exchange(const TrafficMatrix& traffic,
                                           Direction direction) const {
  const Exchange exchange =
      exchange_of(traffic, scenario_.token_bytes, direction, *scenario_.fabric);
  const AllToAll& algorithm =
      direction == Direction::Dispatch ? *scenario_.dispatch : *scenario_.combine;
  PricedExchange priced;
  priced.schedule = algorithm.schedule(exchange);
  check_schedule(priced.schedule);
  NetworkOptions options = scenario_.network_options;
  const CalibrationEntry* entry =
      scenario_.calibration ? scenario_.calibration->entry_for(direction == Direction::Combine)
                            : nullptr;
  if (entry != nullptr) {
    const auto experts = static_cast<double>(scenario_.model.experts);
    const ExchangeFeatures features =
        exchange_features(*scenario_.fabric,
                          algorithm,
                          exchange,
                          priced.schedule,
                          {.experts = experts, .sms = assumed_sms(*entry, experts)});
    options = calibrated_options(options, entry->constants, features, *scenario_.fabric);
    priced.outside = outside_range(*entry, features);
  }
  priced.timeline = scenario_.network->simulate(*scenario_.fabric, priced.schedule, options);
  priced.options = std::move(options);
  return priced;
}

PricedLayer LayerPricer::price(std::size_t index) const {
  PricedLayer layer;
  CountedLayer counted;
  if (trace_ != nullptr) {
    const StepLayer& step_layer = trace_->step_layers()[index];
    layer.result.step = step_layer.step;
    layer.result.layer = step_layer.layer;
    counted = count_tokens(step_layer);
  } else {
    const LoadRow& row = load_->rows[load_groups_[index].first];
    layer.result.step = row.step;
    layer.result.layer = row.layer;
    counted = count_loads(load_groups_[index]);
  }
  fill_loads(counted.traffic, layer.result);
  fill_capacity(counted.capacity, counted.loss, layer.result);
  layer.result.rank_compute_s =
      expert_seconds(scenario_.device,
                     scenario_.model,
                     counted.traffic.expert_rows,
                     placements_->at(layer.result.step, layer.result.layer).shards());
  layer.result.compute_s =
      *std::max_element(layer.result.rank_compute_s.begin(), layer.result.rank_compute_s.end());
  if (counted.has_sources) {
    layer.dispatch = price_exchange(counted.traffic, Direction::Dispatch);
    layer.combine = price_exchange(counted.traffic, Direction::Combine);
  }
  return layer;
}

}  // namespace switchyard
