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

/// A layer before it is put in time.
struct PricedLayer {
  LayerResult result;  // everything but the times that depend on earlier layers
  std::optional<PricedExchange> dispatch;
  std::optional<PricedExchange> combine;
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
    CapacityOutcome capacity;
    CapacityLoss loss;
    bool has_sources = true;
  };

  [[nodiscard]] CountedLayer count_tokens(const StepLayer& step_layer) const;
  [[nodiscard]] CountedLayer count_with_capacity(const RoutingTrace& trace,
                                                 const StepLayer& step_layer,
                                                 const RankAssignment& ranks) const;
  [[nodiscard]] CountedLayer count_loads(const LoadGroup& group) const;
  [[nodiscard]] PricedExchange price_exchange(const TrafficMatrix& traffic,
                                              Direction direction) const;

  const Scenario& scenario_;
  const RoutingTrace* trace_ = nullptr;  // one of these two is set
  const ExpertLoad* load_ = nullptr;
  std::optional<RankAssignment> ranks_;
  std::vector<LoadGroup> load_groups_;
  std::optional<PlacementPlan> placements_;
};

}  // namespace switchyard
