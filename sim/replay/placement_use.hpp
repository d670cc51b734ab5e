// How a scenario uses its placement rule: which replica serves a token, how often experts are
// placed anew, and how old the routing is that decides.
#pragma once

#include <cstdint>
#include <memory>

#include <nlohmann/json_fwd.hpp>

#include "core/numbers/units.hpp"
#include "sim/exchange/expert_ranks.hpp"
#include "sim/placement.hpp"

namespace switchyard {

struct PlacementUse {
  ReplicaChoice replicas = ReplicaChoice::Nearest;
  /// Steps between placements; 0 = one placement, made with the whole trace in sight.
  std::int64_t period = 0;
  /// Age in steps of the newest routing that a new placement has seen; 0 = the very step it starts
  /// with, which only an oracle knows.
  std::int64_t delay = 1;
  /// Steps of routing that it looks at; 0 = all that are old enough.
  std::int64_t window = 0;
  /// Where experts lie before there is routing to look at. Set when period > 0.
  std::shared_ptr<const PlacementRule> initial;
  /// Expert weights that a rank may hold; 0 = as the device's data sheet says.
  Bytes memory;
  /// True leaves the initial placement in force for good: what a period has to be worth.
  bool keeps_initial = false;
};

/// Takes what is not the rule's own (replicas, period, delay, window, initial, memory) out of a
/// scenario's "placement" section and returns it resolved. Throws InvalidInput.
nlohmann::json take_placement_use(nlohmann::json& section,
                                  const Location& where,
                                  PlacementUse& use);

}  // namespace switchyard
