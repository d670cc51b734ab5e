// The placements of a whole run, made before it: one, or a new one every few steps from routing
// that is some steps old.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/exchange/expert_ranks.hpp"
#include "sim/placement.hpp"
#include "sim/replay/scenario.hpp"

namespace switchyard {

/// A placement and the step from which it holds.
struct PlacementEpoch {
  std::int64_t first_step = 0;
  Placement placement;
};

class PlacementPlan {
 public:
  /// `ranks` is the trace's, if the caller has it. Throws InvalidInput or MissingCapability if the
  /// rule refuses the sizes, the trace cannot serve it, or replicas exceed the memory.
  explicit PlacementPlan(const Scenario& scenario, const RankAssignment* ranks = nullptr);

  /// Where experts are at a layer of a step.
  [[nodiscard]] const ExpertRanks& at(std::int64_t step, std::int64_t layer) const;

  [[nodiscard]] std::span<const PlacementEpoch> epochs() const { return epochs_; }

  /// Ids of all layers, ascending; parallel to Placement::layers.
  [[nodiscard]] std::span<const std::int64_t> layers() const { return layers_; }

 private:
  void place_once(const Scenario& scenario, PlacementInput& input);
  void place_repeatedly(const Scenario& scenario, PlacementInput& input);

  std::vector<std::int64_t> layers_;
  std::vector<std::int64_t> steps_;  // ascending
  std::vector<PlacementEpoch> epochs_;
  std::vector<std::vector<ExpertRanks>> expert_ranks_;  // [epochs][layers]
};

/// The sizes of a scenario, without evidence.
PlacementInput placement_input(const Scenario& scenario);

/// Throws InvalidInput if a rank with replicas holds more expert weights than it has memory for.
void check_memory(const Placement& placement, const Scenario& scenario);

}  // namespace switchyard
