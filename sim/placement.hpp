// Placement: which rank holds which expert, layer by layer. A rank's slots hold physical copies of
// logical experts; an expert may have several slots (replicas).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/components/registry.hpp"
#include "core/matrix.hpp"
#include "topologies/fabric.hpp"
#include "traces/expert_load.hpp"
#include "traces/rank_assignment.hpp"

namespace switchyard {

/// Slots of one layer.
struct LayerPlacement {
  std::vector<std::int32_t> slot_to_expert;  // [slots] logical expert
  std::vector<std::int32_t> slot_to_rank;    // [slots]
  /// Every expert is cut over this many ranks, each of which needs all of the expert's tokens
  /// (MoEShard); 1 = experts are whole, and several slots of one are replicas.
  std::int32_t shards = 1;

  bool operator==(const LayerPlacement&) const = default;
};

/// What a rule reads besides the sizes; each level includes those before it.
enum class PlacementEvidence {
  None,
  Loads,        // PlacementInput::load
  LoadsByRank,  // and it names source ranks
  Tokens,       // and PlacementInput::trace
};

/// Steps whose routing a rule may look at, both included.
struct StepRange {
  std::int64_t first = 0;
  std::int64_t last = INT64_MAX;

  [[nodiscard]] bool contains(std::int64_t step) const { return step >= first && step <= last; }
};

struct PlacementInput {
  std::size_t experts = 0;
  std::size_t ranks = 0;
  std::vector<std::int64_t> layers;     // ids of the layers to place, ascending
  const Fabric* fabric = nullptr;       // never null
  const ExpertLoad* load = nullptr;     // selections; null unless the rule asks for evidence
  const RoutingTrace* trace = nullptr;  // token ids; null unless the rule asks for them
  StepRange steps = {};                 // of load and trace, what may be looked at
  std::size_t zero_cost_experts = 0;    // the last experts of a layer, which hold no weights
  std::uint64_t seed = 0;               // for rules that draw random numbers
};

struct Placement {
  std::vector<LayerPlacement> layers;  // parallel to PlacementInput::layers
};

class PlacementRule {
 public:
  PlacementRule() = default;
  PlacementRule(const PlacementRule&) = delete;
  PlacementRule& operator=(const PlacementRule&) = delete;
  PlacementRule(PlacementRule&&) = delete;
  PlacementRule& operator=(PlacementRule&&) = delete;
  virtual ~PlacementRule() = default;

  /// What place() reads of the routing.
  [[nodiscard]] virtual PlacementEvidence evidence() const { return PlacementEvidence::None; }

  /// Every expert has at least one slot. Throws InvalidInput when the numbers do not fit.
  [[nodiscard]] virtual Placement place(const PlacementInput& input) const = 0;
};

extern template class Registry<PlacementRule>;

/// Throws InternalError unless every expert of every layer has a slot on an existing rank.
void check_placement(const Placement& placement, const PlacementInput& input);

/// For rules without replicas: throws InvalidInput if there are fewer experts than ranks.
void require_experts_for_ranks(const PlacementInput& input);

/// Selections per layer to place, [layers, experts], over the input's steps and all source ranks.
Matrix<double> loads_by_layer(const PlacementInput& input);

}  // namespace switchyard
