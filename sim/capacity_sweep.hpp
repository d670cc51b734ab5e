// Many capacity factors in one pass over the routing. A pair is kept at capacity C exactly if fewer
// than C pairs asked for its expert's slots before it, so its place in the queue says by which of
// the factors it is kept; nothing is dropped twice.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/run_control.hpp"
#include "sim/capacity_slots.hpp"
#include "traces/expert_load.hpp"
#include "traces/rank_assignment.hpp"

namespace switchyard {

struct CapacitySweepOptions {
  std::vector<double> factors;                                // ascending, at most 250
  std::vector<double> kept_goals{0.9, 0.95, 0.99, 0.999, 1};  // shares of pairs to be kept
  SlotQueue::Scope scope = SlotQueue::Scope::Rank;
  SlotQueue::Order order = SlotQueue::Order::Choice;  // Token or Choice
  std::size_t group_tokens = 4096;
  std::int64_t minimum = 1;
  std::int64_t top_k = 0;  // of counts, whose file may not say
  unsigned threads = 1;
};

/// What one factor does to one (step, layer).
struct CapacitySweepPoint {
  std::int64_t kept = 0;
  std::int64_t slots = 0;        // over all groups and experts
  std::int64_t lost_tokens = 0;  // every choice dropped
  double dropped_gate_mass = 0;  // sum of weights
};

/// One (step, layer).
struct CapacitySweepRow {
  std::int64_t step = 0;
  std::int64_t layer = 0;
  std::int64_t tokens = 0;
  std::int64_t pairs = 0;
  double gate_mass = 0;                    // sum of all weights; 0 without
  std::vector<CapacitySweepPoint> points;  // [factors]
  std::vector<double> needed_factor;       // [kept_goals] least factor that keeps that share
};

struct CapacitySweep {
  std::vector<double> factors;
  std::vector<double> kept_goals;
  bool has_tokens = false;  // counts know neither tokens lost nor gate mass
  bool has_weights = false;
  std::vector<CapacitySweepRow> rows;  // ascending (step, layer)

  /// All rows as one; `needed_factor` is the largest of the rows'.
  [[nodiscard]] CapacitySweepRow total() const;
};

/// `ranks` is null for counts, whose rows are groups by themselves (all ranks together at L0).
/// Throws InvalidInput for factors that do not ascend or give less than one slot without a minimum,
/// MissingCapability for an order by weight or lot, which this pass cannot follow.
CapacitySweep sweep_capacity(const RoutingData& routing,
                             const RankAssignment* ranks,
                             const CapacitySweepOptions& options,
                             const Progress& progress = {});

}  // namespace switchyard
