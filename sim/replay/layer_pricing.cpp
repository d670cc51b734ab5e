// The three ways to a traffic matrix: straight from the mapped rows (nothing is dropped), through a
// copy that the capacity policy edits, or from counts.
#include "sim/replay/layer_pricing.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>

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

void fill_loads(const TrafficMatrix& traffic,
                LayerSchedule::Computes computes,
                LayerResult& result) {
  const Matrix<std::int64_t>& rows = traffic.expert_rows;
  result.expert_rows.assign(rows.columns(), 0);
  result.rank_rows.assign(rows.rows(), 0);
  for (std::size_t rank = 0; rank < rows.rows(); ++rank) {
    for (std::size_t expert = 0; expert < rows.columns(); ++expert) {
      result.expert_rows[expert] += rows(rank, expert);
      result.rank_rows[rank] += rows(rank, expert);
    }
  }
  if (computes == LayerSchedule::Computes::AllTokens) {
    const auto all =
        std::accumulate(result.rank_rows.begin(), result.rank_rows.end(), std::int64_t{0});
    std::fill(result.rank_rows.begin(), result.rank_rows.end(), all);
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

// Every rank has a slot for every expert.
LayerPlacement everywhere(std::size_t experts, std::size_t ranks) {
  LayerPlacement placement;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    for (std::size_t expert = 0; expert < experts; ++expert) {
      placement.slot_to_expert.push_back(static_cast<std::int32_t>(expert));
      placement.slot_to_rank.push_back(static_cast<std::int32_t>(rank));
    }
  }
  return placement;
}

// What the schedule cannot work with.
void check_schedule_inputs(const Scenario& scenario) {
  const LayerSchedule& schedule = *scenario.schedule;
  if (metadata_of(*scenario.routing).merges_experts && !schedule.merges_experts()) {
    const auto* trace = std::get_if<RoutingTrace>(scenario.routing.get());
    throw MissingCapability(
        "the router merges experts by their weights and sends no token, which this schedule does "
        "not price",
        trace != nullptr ? trace->where() : Location{},
        "choose --schedule merged_experts, or the trace of a router that dispatches tokens");
  }
  if (schedule.tokens_move()) {
    require_fidelity(fidelity_of(*scenario.routing), Fidelity::Ids, "a schedule that moves tokens");
    if (!scenario.capacity->keeps_everything()) {
      throw InvalidInput("a schedule that moves tokens cannot be combined with a capacity limit",
                         {},
                         "set capacity to dropless, or choose schedule two_all_to_all");
    }
  }
  if (schedule.computes() != LayerSchedule::Computes::Placed) {
    require_fidelity(fidelity_of(*scenario.routing),
                     Fidelity::CountsPerRank,
                     "a schedule that computes tokens where they start");
  }
}

Lane lane_of(StageKind kind) {
  switch (kind) {
    case StageKind::Dispatch:
      return Lane::Dispatch;
    case StageKind::Combine:
      return Lane::Combine;
    case StageKind::Collective:
      return Lane::Collective;
    default:
      return Lane::Compute;
  }
}

// The largest part of the slowest rank's work.
Bound bound_of(const RankWork& work) {
  if (work.total() <= 0) {
    return Bound::Nothing;
  }
  if (work.compute_s >= work.memory_s && work.compute_s >= work.launch_s) {
    return Bound::Compute;
  }
  return work.memory_s >= work.launch_s ? Bound::Memory : Bound::Launch;
}

}  // namespace

Bound exchange_bound(const Timeline& timeline, const std::vector<double>& link_rates) {
  if (timeline.bottleneck_link < 0 || timeline.makespan_s <= 0) {
    return timeline.makespan_s > 0 ? Bound::Latency : Bound::Nothing;
  }
  const auto link = static_cast<std::size_t>(timeline.bottleneck_link);
  const double busy_s = timeline.link_bytes[link] / link_rates[link];
  return 2 * busy_s >= timeline.makespan_s ? Bound::Link : Bound::Latency;
}

PricedExchange* PricedLayer::exchange(Lane lane) {
  for (PricedPhase& phase : forward) {
    if (phase.exchange && phase.lane == lane) {
      return &*phase.exchange;
    }
  }
  return nullptr;
}

LayerPricer::LayerPricer(const Scenario& scenario)
    : scenario_(scenario),
      trace_(std::get_if<RoutingTrace>(scenario.routing.get())),
      load_(std::get_if<ExpertLoad>(scenario.routing.get())),
      link_rates_(link_rates(*scenario.fabric, scenario.network_options)) {
  check_fidelity(*scenario.capacity, *scenario.routing);
  check_schedule_inputs(scenario);
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
  if (scenario.schedule->computes() == LayerSchedule::Computes::Placed) {
    placements_.emplace(scenario, ranks_ ? &*ranks_ : nullptr);
  } else {
    const auto experts = static_cast<std::size_t>(scenario.model.experts);
    everywhere_.emplace(
        everywhere(experts, scenario.ranks), experts, *scenario.fabric, scenario.ranks);
  }
}

std::size_t LayerPricer::layer_count() const {
  return trace_ != nullptr ? trace_->step_layers().size() : load_groups_.size();
}

const ExpertRanks& LayerPricer::experts_of(std::int64_t step, std::int64_t layer) const {
  return everywhere_ ? *everywhere_ : placements_->at(step, layer);
}

TrafficCounter LayerPricer::counter_of(std::int64_t step, std::int64_t layer) const {
  const auto experts = static_cast<std::size_t>(scenario_.model.experts);
  if (!scenario_.schedule->counts_tensor_groups()) {
    return {experts_of(step, layer), *scenario_.fabric, scenario_.ranks, experts};
  }
  std::vector<std::int32_t> groups;
  for (std::size_t rank = 0; rank < scenario_.ranks; ++rank) {
    groups.push_back(static_cast<std::int32_t>(scenario_.groups.tensor_group_of(rank)));
  }
  return {experts_of(step, layer), std::move(groups), experts};
}

LayerPricer::CountedLayer LayerPricer::count_tokens(const StepLayer& step_layer) const {
  if (!scenario_.capacity->keeps_everything()) {
    return count_with_capacity(*trace_, step_layer, *ranks_);
  }
  TrafficCounter counter = counter_of(step_layer.step, step_layer.layer);
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
  TrafficCounter counter = counter_of(step_layer.step, step_layer.layer);
  counter.add(tokens.expert_ids, tokens.source_rank);
  if (!counted.capacity.padded_slots.empty()) {
    counter.pad_to(counted.capacity.padded_slots);
  }
  counted.traffic = counter.take();
  return counted;
}

LayerPricer::CountedLayer LayerPricer::count_loads(const LoadGroup& group) const {
  const LoadRow& first = load_->rows[group.first];
  TrafficCounter counter = counter_of(first.step, first.layer);
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

std::vector<std::int32_t> LayerPricer::ranks_after(const StepLayer& step_layer) const {
  const ExpertRanks& experts = experts_of(step_layer.step, step_layer.layer);
  std::vector<std::int32_t> after;
  for (std::size_t position = 0; position < step_layer.chunks.size(); ++position) {
    const Chunk& chunk = trace_->chunks()[step_layer.chunks[position]];
    const ExpertIds ids = trace_->expert_ids(chunk);
    const std::optional<FloatRows> weights = trace_->gate_weights(chunk);
    const std::vector<std::int32_t> home = ranks_->ranks_of(step_layer, position);
    for (std::size_t row = 0; row < ids.rows(); ++row) {
      std::int32_t best = kNoExpert;
      float most = 0;
      for (std::size_t choice = 0; choice < ids.top_k(); ++choice) {
        const std::int32_t id = ids.at(row, choice);
        const float weight = weights ? weights->at(row, choice) : 0;
        if (id != kNoExpert && (best == kNoExpert || weight > most)) {
          best = id;
          most = weight;
        }
      }
      if (best >= scenario_.model.experts) {
        throw_expert_out_of_range(*trace_, chunk, row, best);
      }
      const auto source = static_cast<std::size_t>(home[row]);
      after.push_back(best == kNoExpert ? home[row]
                                        : experts.rank_of(source, static_cast<std::size_t>(best)));
    }
  }
  return after;
}

LayerPricer::CountedLayer LayerPricer::count_moving_tokens(std::size_t index) const {
  const StepLayer& step_layer = trace_->step_layers()[index];
  const std::vector<std::int32_t> after = ranks_after(step_layer);
  std::vector<std::int32_t> before;
  if (is_first_layer(index)) {
    for (std::size_t position = 0; position < step_layer.chunks.size(); ++position) {
      const auto home = ranks_->ranks_of(step_layer, position);
      before.insert(before.end(), home.begin(), home.end());
    }
  } else {
    const StepLayer& previous = trace_->step_layers()[index - 1];
    before = ranks_after(previous);
    if (before.size() != after.size()) {
      throw InvalidInput(fmt::format("step {} has {} tokens at layer {} but {} at layer {}: tokens "
                                     "cannot be followed from one to the other",
                                     step_layer.step,
                                     before.size(),
                                     previous.layer,
                                     after.size(),
                                     step_layer.layer),
                         trace_->where(),
                         "choose schedule two_all_to_all");
    }
  }
  TrafficCounter dispatch = counter_of(step_layer.step, step_layer.layer);
  TrafficCounter results = counter_of(step_layer.step, step_layer.layer);
  std::size_t first = 0;
  for (const std::size_t position : step_layer.chunks) {
    const Chunk& chunk = trace_->chunks()[position];
    const ExpertIds ids = trace_->expert_ids(chunk);
    dispatch.add(*trace_, chunk, ids, std::span(before).subspan(first, ids.rows()));
    results.add(*trace_, chunk, ids, std::span(after).subspan(first, ids.rows()));
    first += ids.rows();
    trace_->release(chunk);
  }
  CountedLayer counted{.traffic = dispatch.take(), .results = results.take(), .capacity = {}};
  counted.capacity.pairs = counted.traffic.pairs;
  counted.capacity.kept = counted.capacity.pairs;
  return counted;
}

bool LayerPricer::is_first_layer(std::size_t index) const {
  if (index == 0) {
    return true;
  }
  if (trace_ != nullptr) {
    const std::vector<StepLayer>& layers = trace_->step_layers();
    return layers[index].step != layers[index - 1].step;
  }
  return load_->rows[load_groups_[index].first].step !=
         load_->rows[load_groups_[index - 1].first].step;
}

PricedExchange LayerPricer::price_exchange(Stage& stage, const Share& share) const {
  PricedExchange priced;
  priced.schedule =
      share.count == 1 ? std::move(stage.schedule) : share_of_schedule(stage.schedule, share);
  check_schedule(priced.schedule);
  priced.options = scenario_.network_options;
  const CalibrationEntry* entry =
      scenario_.calibration && stage.exchange
          ? scenario_.calibration->entry_for(stage.kind == StageKind::Combine)
          : nullptr;
  if (entry != nullptr) {
    const auto experts = static_cast<double>(scenario_.model.experts);
    ExchangeFeatures features =
        exchange_features(*scenario_.fabric,
                          *stage.algorithm,
                          *stage.exchange,
                          priced.schedule,
                          {.experts = experts, .sms = assumed_sms(*entry, experts)});
    const auto parts = static_cast<double>(share.count);
    features.staged_bytes /= parts;
    features.peer_bytes /= parts;
    features.token_bytes /= parts;
    priced.options =
        calibrated_options(priced.options, entry->constants, features, *scenario_.fabric);
    priced.outside = outside_range(*entry, features);
  }
  priced.timeline = scenario_.network->simulate(*scenario_.fabric, priced.schedule, priced.options);
  return priced;
}

PricedPhase LayerPricer::price_phase(Stage& stage, const PlannedPhase& planned) const {
  PricedPhase phase{.name = stage.name,
                    .lane = lane_of(stage.kind),
                    .exchange = {},
                    .work_s = {},
                    .after = planned.after,
                    .batch = planned.batch,
                    .lead = planned.lead};
  if (is_communication(stage.kind)) {
    phase.exchange = price_exchange(stage, planned.share);
    phase.bound = exchange_bound(phase.exchange->timeline, link_rates_);
    return phase;
  }
  const std::vector<RankWork> work = stage.work(planned.share);
  for (const RankWork& of_rank : work) {
    phase.work_s.push_back(of_rank.total());
  }
  const auto slowest = std::max_element(phase.work_s.begin(), phase.work_s.end());
  phase.bound = bound_of(work[static_cast<std::size_t>(slowest - phase.work_s.begin())]);
  return phase;
}

std::vector<PricedPhase> LayerPricer::price_pass(const LayerContext& context) const {
  std::vector<Stage> stages = surrounding_stages(context, scenario_.other_work);
  std::vector<Stage> experts = scenario_.schedule->stages(context);
  if (context.is_backward) {  // the experts' part is symmetric, what surrounds it is mirrored
    std::reverse(stages.begin(), stages.end());
    std::swap(stages, experts);
  }
  stages.insert(stages.end(),
                std::make_move_iterator(experts.begin()),
                std::make_move_iterator(experts.end()));
  std::vector<PricedPhase> phases;
  for (const PlannedPhase& planned : scenario_.overlap->arrange(stages)) {
    phases.push_back(price_phase(stages[planned.stage], planned));
  }
  return phases;
}

PricedLayer LayerPricer::price(std::size_t index) const {
  PricedLayer layer;
  CountedLayer counted;
  if (trace_ != nullptr) {
    const StepLayer& step_layer = trace_->step_layers()[index];
    layer.result.step = step_layer.step;
    layer.result.layer = step_layer.layer;
    counted =
        scenario_.schedule->tokens_move() ? count_moving_tokens(index) : count_tokens(step_layer);
  } else {
    const LoadRow& row = load_->rows[load_groups_[index].first];
    layer.result.step = row.step;
    layer.result.layer = row.layer;
    counted = count_loads(load_groups_[index]);
  }
  fill_loads(counted.traffic, scenario_.schedule->computes(), layer.result);
  fill_capacity(counted.capacity, counted.loss, layer.result);
  layer.result.rank_tokens = counted.traffic.rank_tokens;
  const std::int64_t shards = experts_of(layer.result.step, layer.result.layer).shards();
  layer.has_times = counted.has_sources;
  if (!layer.has_times) {
    clear_zero_cost(scenario_.model, counted.traffic.expert_rows);
    for (const RankWork& work :
         expert_work(scenario_.device, scenario_.model, counted.traffic.expert_rows, shards)) {
      layer.result.rank_compute_s.push_back(work.total());
    }
    layer.result.compute_s =
        *std::max_element(layer.result.rank_compute_s.begin(), layer.result.rank_compute_s.end());
    return layer;
  }
  for (const bool is_backward : {false, true}) {
    if (scenario_.pass == (is_backward ? Pass::Forward : Pass::Backward)) {
      continue;
    }
    (is_backward ? layer.backward : layer.forward) =
        price_pass({.traffic = counted.traffic,
                    .results = counted.results ? *counted.results : counted.traffic,
                    .fabric = *scenario_.fabric,
                    .model = scenario_.model,
                    .device = scenario_.device,
                    .token_bytes = scenario_.token_bytes,
                    .dispatch = *scenario_.dispatch,
                    .combine = *scenario_.combine,
                    .groups = scenario_.groups,
                    .shards = shards,
                    .is_first_layer = is_first_layer(index),
                    .is_backward = is_backward});
  }
  return layer;
}

}  // namespace switchyard
