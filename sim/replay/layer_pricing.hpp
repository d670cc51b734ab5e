// One MoE layer of one step, priced on its own: counts, traffic, both exchanges and expert compute.
// A pure function of the scenario and the layer, so layers may be priced in any order.
#pragma once

#include <optional>

#include "sim/capacity_loss.hpp"
#include "sim/replay/placement_plan.hpp"
#include "sim/replay/result.hpp"
#include "sim/replay/scenario.hpp"

namespace switchyard {

/// An exchange with what the network made of it.
struct PricedExchange {
  Schedule schedule;
  Timeline timeline;
  NetworkOptions options;            // the scenario's, calibrated for this exchange
  std::vector<std::string> outside;  // of the calibration's fitted range, in words
};

/// Link if the busiest link is busy for at least half of the time, else Latency: latency, message
/// costs and transfers waiting for one another.
Bound exchange_bound(const Timeline& timeline, const std::vector<double>& link_rates);

/// A phase before it is put in time: `exchange` of a collective, else `work`.
struct PricedPhase {
  std::string name;
  Lane lane = Lane::Compute;
  Bound bound = Bound::Nothing;
  std::optional<PricedExchange> exchange;
  std::vector<double> work_s;      // [ranks]
  std::vector<std::size_t> after;  // as PlannedPhase
  std::size_t batch = 0;
  double lead = 0;
};

/// A layer before it is put in time.
struct PricedLayer {
  LayerResult result;  // everything but the times that depend on earlier layers
  bool has_times = false;
  std::vector<PricedPhase> forward;
  std::vector<PricedPhase> backward;

  /// The first exchange of this kind in the forward pass, or null.
  [[nodiscard]] PricedExchange* exchange(Lane lane);
};

/// Prices layers of one scenario; safe to use from several threads when the network is.
class LayerPricer {
 public:
  explicit LayerPricer(const Scenario& scenario);

  /// Number of (step, layer) pairs in the trace.
  [[nodiscard]] std::size_t layer_count() const;
  [[nodiscard]] PricedLayer price(std::size_t index) const;

  [[nodiscard]] const PlacementPlan& placements() const { return *placements_; }

 private:
  /// Rows of ExpertLoad::rows of one (step, layer).
  struct LoadGroup {
    std::size_t first = 0;
    std::size_t last = 0;
  };

  struct CountedLayer {
    TrafficMatrix traffic;
    std::optional<TrafficMatrix> results;  // where tokens move: from where they end, to experts
    CapacityOutcome capacity;
    CapacityLoss loss;
    bool has_sources = true;
  };

  [[nodiscard]] const ExpertRanks& experts_of(std::int64_t step, std::int64_t layer) const;
  [[nodiscard]] TrafficCounter counter_of(std::int64_t step, std::int64_t layer) const;
  [[nodiscard]] CountedLayer count_tokens(const StepLayer& step_layer) const;
  /// Takes the tokens that skip the layer (column `alive`) out of `rank_tokens` [ranks].
  void leave_out_skipping(const StepLayer& step_layer,
                          std::vector<std::int64_t>& rank_tokens) const;
  [[nodiscard]] CountedLayer count_moving_tokens(std::size_t index) const;
  [[nodiscard]] std::vector<std::int32_t> ranks_after(const StepLayer& step_layer) const;
  [[nodiscard]] CountedLayer count_with_capacity(const RoutingTrace& trace,
                                                 const StepLayer& step_layer,
                                                 const RankAssignment& ranks) const;
  [[nodiscard]] CountedLayer count_loads(const LoadGroup& group) const;
  [[nodiscard]] bool is_first_layer(std::size_t index) const;
  /// The scenario's, with what the trace's router sums over all ranks in this layer.
  [[nodiscard]] ParallelGroups groups_of(std::int64_t layer) const;
  [[nodiscard]] std::vector<PricedPhase> price_pass(const LayerContext& context) const;
  [[nodiscard]] PricedExchange price_exchange(Stage& stage, const Share& share) const;
  [[nodiscard]] PricedPhase price_phase(Stage& stage, const PlannedPhase& planned) const;

  const Scenario& scenario_;
  const RoutingTrace* trace_ = nullptr;  // one of these two is set
  const ExpertLoad* load_ = nullptr;
  std::optional<RankAssignment> ranks_;
  std::vector<LoadGroup> load_groups_;
  std::vector<double> link_rates_;           // bytes/s
  std::optional<PlacementPlan> placements_;  // unless the schedule needs every expert everywhere
  std::optional<ExpertRanks> everywhere_;
};

}  // namespace switchyard
