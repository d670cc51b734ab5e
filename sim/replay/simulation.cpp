// Layers are priced in parallel, a batch at a time (so that memory does not grow with the trace),
// and put in time one after another; the outcome does not depend on the number of threads.
#include "sim/replay/simulation.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <thread>

#include "sim/replay/migration.hpp"
#include "sim/replay/run_summary.hpp"

namespace switchyard {
namespace {

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
};

SimulationResult Replay::finish(bool is_partial) {
  end_step();
  result_.is_partial = is_partial;
  sum_up(scenario_, result_);
  describe_run(scenario_, outside_, result_);
  return std::move(result_);
}

}  // namespace

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
