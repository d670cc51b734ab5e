// Placement: which rank holds which expert, layer by layer. A rank's slots hold physical copies of
// logical experts; an expert may have several slots (replicas).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/components/registry.hpp"
#include "topologies/fabric.hpp"
#include "traces/expert_load.hpp"

namespace switchyard {

/// Slots of one layer.
struct LayerPlacement {
  std::vector<std::int32_t> slot_to_expert;  // [slots] logical expert
  std::vector<std::int32_t> slot_to_rank;    // [slots]
};

struct PlacementInput {
  std::size_t experts = 0;
  std::size_t ranks = 0;
  std::vector<std::int64_t> layers;  // ids of the layers to place
  const Fabric* fabric = nullptr;    // never null
  const ExpertLoad* load = nullptr;  // loads to balance, if known
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

  /// Every expert has at least one slot. Throws InvalidInput when the numbers do not fit.
  [[nodiscard]] virtual Placement place(const PlacementInput& input) const = 0;
};

extern template class Registry<PlacementRule>;

/// Throws InternalError unless every expert of every layer has a slot on an existing rank.
void check_placement(const Placement& placement, const PlacementInput& input);

/// For rules without replicas: throws InvalidInput if there are fewer experts than ranks.
void require_experts_for_ranks(const PlacementInput& input);

/// Where a token of each source rank finds each expert: the replica on its own rank, else on its
/// own node, else the (source mod replicas)-th.
class ExpertRanks {
 public:
  ExpertRanks(const LayerPlacement& placement,
              std::size_t experts,
              const Fabric& fabric,
              std::size_t ranks);

  [[nodiscard]] std::int32_t rank_of(std::size_t source, std::size_t expert) const {
    return is_replicated_ ? ranks_[source * experts_ + expert] : ranks_[expert];
  }

  /// Ranks by expert, when no expert has replicas; empty otherwise.
  [[nodiscard]] std::span<const std::int32_t> single_ranks() const {
    return is_replicated_ ? std::span<const std::int32_t>() : ranks_;
  }

 private:
  std::size_t experts_;
  bool is_replicated_ = false;
  std::vector<std::int32_t> ranks_;  // [experts] or [ranks, experts]
};

}  // namespace switchyard
