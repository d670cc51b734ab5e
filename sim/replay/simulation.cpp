// Layers are priced in parallel, a batch at a time (so that memory does not grow with the trace),
// and put in time one after another; the outcome does not depend on the number of threads.
#include "sim/replay/simulation.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "sim/replay/calibrated_exchange.hpp"
#include "sim/replay/migration.hpp"
#include "sim/replay/step_exchanges.hpp"

namespace switchyard {
namespace {

// Dispatch and combine often mirror each other: rounding must not decide which link is named.
constexpr double kTie = 1e-9;

// Prices layers [first, last) on several threads. The first error wins, by layer order.
std::vector<PricedLayer> price_batch(const LayerPricer& pricer,
                                     const std::vector<std::size_t>& layers,
                                     std::size_t first,
                                     std::size_t last,
                                     unsigned threads) {
  std::vector<PricedLayer> batch(last - first);
  std::vector<std::exception_ptr> errors(last - first);
  std::atomic<std::size_t> next = first;
  const auto work = [&] {
    for (std::size_t i = next++; i < last; i = next++) {
      try {
        batch[i - first] = pricer.price(layers[i]);
      } catch (...) {
        errors[i - first] = std::current_exception();
      }
    }
  };
  std::vector<std::jthread> helpers;
  for (unsigned i = 1; i < threads && i < last - first; ++i) {
    helpers.emplace_back(work);
  }
  work();
  helpers.clear();
  for (const std::exception_ptr& error : errors) {
    if (error) {
      std::rethrow_exception(error);
    }
  }
  return batch;
}

// All of `count` layers, or `most` of them, evenly spaced.
std::vector<std::size_t> chosen_layers(std::size_t count, std::size_t most) {
  const std::size_t wanted = most == 0 ? count : std::min(count, most);
  std::vector<std::size_t> layers;
  for (std::size_t i = 0; i < wanted; ++i) {
    layers.push_back(i * count / wanted);
  }
  return layers;
}

struct NodeBytes {
  double inter = 0;
  double intra = 0;
};

NodeBytes split_by_node(const Fabric& fabric, const Schedule& schedule) {
  NodeBytes bytes;
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    const bool is_inside = fabric.node_of(RankId{schedule.source[i]}) ==
                           fabric.node_of(RankId{schedule.destination[i]});
    (is_inside ? bytes.intra : bytes.inter) += static_cast<double>(schedule.bytes[i]);
  }
  return bytes;
}

double largest(const std::vector<double>& values) {
  return *std::max_element(values.begin(), values.end());
}

std::string expected_error_note(const ExpectedError& expected) {
  return fmt::format(
      "{} calibrated by {} ({} on {}): expected error median {:.1f} %, 95 % of rows within "
      "{:.1f} % ({} {} rows)",
      expected.phase == "any" ? "exchanges" : expected.phase,
      expected.calibration,
      expected.model,
      expected.hardware,
      100 * expected.median,
      100 * expected.p95,
      expected.rows,
      expected.is_held_out ? "held-out" : "fitted");
}

void add_expected_errors(const Scenario& scenario,
                         const std::map<std::string, std::string>& outside,
                         SimulationResult& result) {
  const CalibrationEntry* last = nullptr;
  for (const bool combine : {false, true}) {
    const CalibrationEntry* entry = scenario.calibration->entry_for(combine);
    if (entry == nullptr) {
      result.notes.push_back(fmt::format("{} is uncalibrated: {} has no constants for it",
                                         combine ? "combine" : "dispatch",
                                         scenario.calibration_path));
    } else if (entry != last) {
      const ErrorSummary& expected = entry->accuracy.expected();
      result.expected_errors.push_back({.phase = entry->direction,
                                        .calibration = scenario.calibration_path,
                                        .model = entry->model,
                                        .hardware = entry->hardware,
                                        .median = expected.median,
                                        .p95 = expected.p95,
                                        .rows = expected.rows,
                                        .is_held_out = entry->accuracy.held_out.rows > 0});
      result.notes.push_back(expected_error_note(result.expected_errors.back()));
    }
    last = entry;
    const std::string other =
        entry == nullptr ? ""
                         : other_algorithm(*entry,
                                           scenario.resolved_json,
                                           combine ? Direction::Combine : Direction::Dispatch);
    if (!other.empty()) {
      result.outside_calibration.push_back(other);
    }
  }
  for (const auto& [feature, text] : outside) {
    result.outside_calibration.push_back(text);
  }
  for (const std::string& text : result.outside_calibration) {
    result.notes.push_back("outside the calibration's range, the expected error does not hold: " +
                           text);
  }
}

// When a phase began and ended on each rank.
struct PhaseTimes {
  std::vector<double> length_s;  // [ranks] on its queue
  std::vector<double> finish_s;  // [ranks]
};

// Puts priced layers in time.
class Replay {
 public:
  Replay(const Scenario& scenario, const SimulationHooks& hooks)
      : scenario_(scenario),
        hooks_(hooks),
        link_rates_(link_rates(*scenario.fabric, scenario.network_options)),
        arrival_(scenario.overlap->batch_count(), std::vector<double>(scenario.ranks, 0.0)),
        compute_free_(scenario.ranks, 0.0),
        network_free_(scenario.ranks, 0.0) {
    for (const Link& link : scenario.fabric->links()) {
      result_.links.push_back({.name = link.name});
    }
    for (std::size_t link = 0; link < link_rates_.size(); ++link) {
      result_.links[link].bandwidth = link_rates_[link];
    }
  }

  void add(PricedLayer&& layer) {
    if (has_step_ && step_ != layer.result.step) {
      end_step();
    }
    has_step_ = true;
    step_ = layer.result.step;
    layer.result.rank_start_s = earliest_arrivals();
    if (layer.has_times) {
      layer.result.wait_s = 0;
      layer.result.layer_s = 0;
      layer.result.lower_bound_s = 0;
      layer.result.dispatch.emplace();
      layer.result.combine.emplace();
      layer.result.rank_compute_s.assign(scenario_.ranks, 0.0);
      run(layer.result, layer.forward);
    }
    if (layer.backward.empty()) {
      complete(std::move(layer.result));
      return;
    }
    layer.forward.clear();
    waiting_.push_back(std::move(layer));
  }

  SimulationResult finish(bool is_partial);

 private:
  // Runs the backward passes that the step still owes; steps end together.
  void end_step() {
    for (auto layer = waiting_.rbegin(); layer != waiting_.rend(); ++layer) {
      run(layer->result, layer->backward);
    }
    for (PricedLayer& layer : waiting_) {
      complete(std::move(layer.result));
    }
    waiting_.clear();
    const double end = latest_arrival();
    for (std::vector<double>& of_batch : arrival_) {
      std::fill(of_batch.begin(), of_batch.end(), end);
    }
  }

  void complete(LayerResult&& result) {
    if (result.layer_s) {
      result.compute_s = largest(result.rank_compute_s);
      result.exposed_communication_s = std::max(0.0, *result.layer_s - result.compute_s);
    }
    if (hooks_.layer) {
      hooks_.layer(result);
    }
    result_.layers.push_back(std::move(result));
  }

  [[nodiscard]] std::vector<double> earliest_arrivals() const {
    std::vector<double> earliest = arrival_.front();
    for (const std::vector<double>& of_batch : arrival_) {
      for (std::size_t rank = 0; rank < earliest.size(); ++rank) {
        earliest[rank] = std::min(earliest[rank], of_batch[rank]);
      }
    }
    return earliest;
  }

  [[nodiscard]] double latest_arrival() const {
    double latest = 0;
    for (const std::vector<double>& of_batch : arrival_) {
      latest = std::max(latest, largest(of_batch));
    }
    return latest;
  }

  // One pass through one layer.
  void run(LayerResult& result, const std::vector<PricedPhase>& phases) {
    const double start = latest_arrival();
    std::vector<PhaseTimes> times;
    std::vector<std::vector<double>> leaving = arrival_;
    for (const PricedPhase& phase : phases) {
      PhaseResult placed{.name = phase.name, .lane = phase.lane, .bound = phase.bound};
      placed.ready_s = ready_times(phase, times);
      times.push_back(phase.exchange ? run_collective(result, phase, placed)
                                     : run_work(result, phase, placed));
      std::vector<double>& left = leaving[phase.batch];
      for (std::size_t rank = 0; rank < left.size(); ++rank) {
        left[rank] = std::max(left[rank], times.back().finish_s[rank]);
      }
      placed.finish_s = times.back().finish_s;
      result.phases.push_back(std::move(placed));
    }
    arrival_ = std::move(leaving);
    *result.layer_s += latest_arrival() - start;
    const std::vector<double>& last = arrival_.back();
    result.straggler_rank =
        static_cast<std::int32_t>(std::max_element(last.begin(), last.end()) - last.begin());
  }

  // [ranks] when what the phase waits for is done, earlier by its lead.
  [[nodiscard]] std::vector<double> ready_times(const PricedPhase& phase,
                                                const std::vector<PhaseTimes>& times) const {
    if (phase.after.empty()) {
      return arrival_[phase.batch];
    }
    std::vector<double> ready(scenario_.ranks, 0.0);
    for (std::size_t rank = 0; rank < ready.size(); ++rank) {
      double before_s = 0;
      for (const std::size_t earlier : phase.after) {
        ready[rank] = std::max(ready[rank], times[earlier].finish_s[rank]);
        before_s = std::max(before_s, times[earlier].length_s[rank]);
      }
      if (phase.lead > 0) {
        const double own_s =
            phase.exchange ? phase.exchange->timeline.rank_finish_s[rank] : phase.work_s[rank];
        ready[rank] -= phase.lead * std::min(own_s, before_s);
      }
    }
    return ready;
  }

  PhaseTimes run_work(LayerResult& layer, const PricedPhase& phase, PhaseResult& placed) {
    PhaseTimes times{.length_s = phase.work_s, .finish_s = phase.work_s};
    for (std::size_t rank = 0; rank < times.finish_s.size(); ++rank) {
      placed.ready_s[rank] = std::max(placed.ready_s[rank], compute_free_[rank]);
      times.finish_s[rank] = placed.ready_s[rank] + phase.work_s[rank];
      compute_free_[rank] = times.finish_s[rank];
      layer.rank_compute_s[rank] += phase.work_s[rank];
    }
    placed.time_s = largest(phase.work_s);
    return times;
  }

  // Every rank waits for the last one, then leaves with its own last byte.
  PhaseTimes run_collective(LayerResult& layer, const PricedPhase& phase, PhaseResult& placed) {
    const Timeline& timeline = phase.exchange->timeline;
    for (std::size_t rank = 0; rank < placed.ready_s.size(); ++rank) {
      placed.ready_s[rank] = std::max(placed.ready_s[rank], network_free_[rank]);
    }
    placed.start_s = largest(placed.ready_s);
    PhaseTimes times{.length_s = timeline.rank_finish_s, .finish_s = timeline.rank_finish_s};
    for (std::size_t rank = 0; rank < times.finish_s.size(); ++rank) {
      *layer.wait_s += placed.start_s - placed.ready_s[rank];
      times.finish_s[rank] += placed.start_s;
      network_free_[rank] = times.finish_s[rank];
    }
    placed.time_s = timeline.makespan_s;
    placed.bottleneck_link = timeline.bottleneck_link;
    *layer.lower_bound_s += timeline.lower_bound_s;
    if (phase.lane == Lane::Collective && !layer.collective) {
      layer.collective.emplace();
    }
    placed.bytes = book(*phase.exchange, *result_of(layer, phase.lane));
    if (hooks_.exchange) {
      hooks_.exchange({.step = layer.step,
                       .layer = layer.layer,
                       .name = phase.name,
                       .start_s = placed.start_s,
                       .schedule = phase.exchange->schedule,
                       .timeline = timeline});
    }
    return times;
  }

  static std::optional<ExchangeResult>& result_of(LayerResult& layer, Lane lane) {
    return lane == Lane::Dispatch  ? layer.dispatch
           : lane == Lane::Combine ? layer.combine
                                   : layer.collective;
  }

  // Adds a collective to the layer's sums and to its links'; answers its bytes.
  double book(const PricedExchange& priced, ExchangeResult& sum) {
    const Timeline& timeline = priced.timeline;
    const NodeBytes bytes = split_by_node(*scenario_.fabric, priced.schedule);
    for (std::size_t link = 0; link < timeline.link_bytes.size(); ++link) {
      result_.links[link].bytes += timeline.link_bytes[link];
    }
    if (timeline.bottleneck_link >= 0 && timeline.makespan_s > 0) {
      const auto link = static_cast<std::size_t>(timeline.bottleneck_link);
      result_.links[link].bottleneck_s += timeline.makespan_s;
      if (timeline.makespan_s > sum.longest_s) {
        sum.bottleneck_link = timeline.bottleneck_link;
        sum.bottleneck_utilisation =
            timeline.link_bytes[link] / (link_rates_[link] * timeline.makespan_s);
        sum.longest_s = timeline.makespan_s;
      }
    }
    if (timeline.window_epsilon > 0 || sum.mode.empty()) {
      sum.mode = timeline.mode;
      sum.window_epsilon = timeline.window_epsilon;
    }
    for (const std::string& text : priced.outside) {
      outside_.emplace(text.substr(0, text.find(' ')), text);
    }
    sum.time_s += timeline.makespan_s;
    sum.lower_bound_s += timeline.lower_bound_s;
    sum.inter_node_bytes += bytes.inter;
    sum.intra_node_bytes += bytes.intra;
    sum.transfers += static_cast<std::int64_t>(priced.schedule.transfer_count());
    return bytes.inter + bytes.intra;
  }

  void add_to_total(const LayerResult& layer);

  const Scenario& scenario_;
  const SimulationHooks& hooks_;
  std::vector<double> link_rates_;
  std::vector<std::vector<double>> arrival_;  // [batches, ranks] done with the layer before
  std::vector<double> compute_free_;          // [ranks]
  std::vector<double> network_free_;          // [ranks]
  std::vector<PricedLayer> waiting_;          // for their backward pass
  bool has_step_ = false;
  std::int64_t step_ = 0;
  SimulationResult result_;
  std::map<std::string, std::string> outside_;  // of the calibration's range, by feature
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

void Replay::add_to_total(const LayerResult& layer) {
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

SimulationResult Replay::finish(bool is_partial) {
  end_step();
  for (const LayerResult& layer : result_.layers) {
    add_to_total(layer);
  }
  TotalResult& total = result_.total;
  total.layers = static_cast<std::int64_t>(result_.layers.size());
  total.steps = step_count(result_.layers);
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
  if (total.layer_s && total.steps > 0) {
    total.step_s = *total.layer_s / static_cast<double>(total.steps);
    add_step_exchanges(scenario_, result_.layers, total);
  }
  double worst_time = 0;
  for (std::size_t link = 0; link < result_.links.size(); ++link) {
    LinkResult& of_link = result_.links[link];
    of_link.busy_s = of_link.bandwidth > 0 ? of_link.bytes / of_link.bandwidth : 0;
    if (of_link.bottleneck_s > worst_time * (1 + kTie)) {
      worst_time = of_link.bottleneck_s;
      total.bottleneck_link = static_cast<std::int32_t>(link);
    }
  }
  if (!result_.layers.empty()) {
    total.worst_layer = worst_layer(result_.layers);
    total.straggler_rank = most_frequent_straggler(result_.layers);
  }
  result_.is_partial = is_partial;
  result_.scenario_json = scenario_.resolved_json;
  result_.scenario_hash = scenario_.hash;
  result_.seed = scenario_.seed;
  result_.fidelity = fidelity_of(*scenario_.routing);
  result_.network = scenario_.network_name;
  result_.topology = scenario_.fabric->name();
  result_.is_calibrated = scenario_.fabric->is_calibrated() || scenario_.calibration != nullptr;
  result_.ranks = scenario_.ranks;
  std::set<NodeId> nodes;
  for (std::size_t rank = 0; rank < scenario_.ranks; ++rank) {
    nodes.insert(scenario_.fabric->node_of(RankId{rank}));
  }
  result_.nodes = nodes.size();
  result_.experts = static_cast<std::size_t>(scenario_.model.experts);
  result_.top_k = static_cast<std::size_t>(scenario_.model.top_k);
  if (!result_.is_calibrated) {
    result_.notes.emplace_back("topology is uncalibrated: data-sheet rates");
  }
  if (scenario_.calibration) {
    add_expected_errors(scenario_, outside_, result_);
  }
  if (scenario_.rank_rule != RankRule::Recorded) {
    result_.notes.push_back(
        fmt::format("tokens assigned to ranks by rule: {}", rank_rule_name(scenario_.rank_rule)));
  }
  add_schedule_notes(scenario_, result_.fidelity, result_.notes);
  if (result_.fidelity == Fidelity::Counts) {
    result_.notes.emplace_back(
        "the file holds counts without source ranks (L0): load and compute only; communication "
        "times need counts per source rank (L1) or token ids (L2)");
  }
  return std::move(result_);
}

}  // namespace

std::string_view lane_name(Lane lane) {
  switch (lane) {
    case Lane::Wait:
      return "wait";
    case Lane::Dispatch:
      return "dispatch";
    case Lane::Compute:
      return "compute";
    case Lane::Combine:
      return "combine";
    default:
      return "collective";
  }
}

std::string_view bound_name(Bound bound) {
  switch (bound) {
    case Bound::Link:
      return "link";
    case Bound::Latency:
      return "latency";
    case Bound::Compute:
      return "compute";
    case Bound::Memory:
      return "memory";
    case Bound::Launch:
      return "launch";
    default:
      return "nothing";
  }
}

SimulationResult simulate(const Scenario& scenario, const SimulationHooks& hooks) {
  const LayerPricer pricer(scenario);
  Replay replay(scenario, hooks);
  unsigned threads = hooks.threads > 0 ? hooks.threads : std::thread::hardware_concurrency();
  threads = scenario.network->may_run_concurrently() ? std::max(1U, threads) : 1U;
  // More than one layer per thread, so that no thread idles at the end of each batch.
  const std::size_t batch_size = threads == 1 ? 1 : std::size_t{threads} * 4;
  const std::vector<std::size_t> layers = chosen_layers(pricer.layer_count(), hooks.most_layers);
  const std::size_t count = layers.size();
  for (std::size_t first = 0; first < count; first += batch_size) {
    if (interrupt_requested()) {
      return replay.finish(/*is_partial=*/true);
    }
    const std::size_t last = std::min(count, first + batch_size);
    std::vector<PricedLayer> batch;
    try {
      batch = price_batch(pricer, layers, first, last, threads);
    } catch (const Interrupted&) {  // a slow network noticed it first
      return replay.finish(/*is_partial=*/true);
    }
    for (PricedLayer& layer : batch) {
      replay.add(std::move(layer));
    }
    if (hooks.progress) {
      hooks.progress("simulating layers", static_cast<double>(last) / static_cast<double>(count));
    }
  }
  SimulationResult result = replay.finish(/*is_partial=*/false);
  const PlacementUse& use = scenario.placement_use;
  const bool is_placed = scenario.schedule->computes() == LayerSchedule::Computes::Placed;
  if (is_placed && use.period > 0 && !use.keeps_initial && hooks.most_layers == 0) {
    result.replacement = study_replacement(scenario, pricer.placements(), result, threads);
  }
  return result;
}

}  // namespace switchyard
