// What a layer costs: its traffic is counted (layer_counting.cpp), made into stages by the schedule
// and into phases by the overlap, and each phase is priced by the network or the device.
#include "sim/replay/layer_pricing.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>

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
                         {"scenario", "#/capacity"},
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

ParallelGroups LayerPricer::groups_of(std::int64_t layer) const {
  const TraceMetadata& metadata = metadata_of(*scenario_.routing);
  ParallelGroups groups = scenario_.groups;
  if (layer >= metadata.router_allreduce_first_layer) {
    groups.layer_allreduce.count += metadata.router_allreduce_bytes;
  }
  return groups;
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
  const ParallelGroups groups = groups_of(layer.result.layer);
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
                    .groups = groups,
                    .shards = shards,
                    .is_first_layer = is_first_layer(index),
                    .is_backward = is_backward});
  }
  return layer;
}

}  // namespace switchyard
