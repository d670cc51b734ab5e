// Inter-layer expert affinity (ExFlow, arXiv 2401.08383): which expert follows which.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix.hpp"
#include "sim/placement.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {

/// counts[l](i, p): tokens whose main expert is i at the l-th layer and p at the next.
struct Transitions {
  std::vector<Matrix<std::int64_t>> counts;  // [layers - 1] of [experts, experts]

  [[nodiscard]] std::size_t layer_count() const { return counts.size() + 1; }

  /// Tokens counted, over all pairs of layers.
  [[nodiscard]] std::int64_t total() const;
};

/// Follows every token of the steps through `layers` (ascending). The main expert of a token with
/// several is the one of the highest gate weight: with the others a token has no single place.
/// Throws MissingCapability if there are several and no weights, InvalidInput if a step has
/// different numbers of tokens in two layers, so that they cannot be followed.
Transitions count_transitions(const RoutingTrace& trace,
                              std::span<const std::int64_t> layers,
                              const StepRange& steps = {});

/// Rank or node of each expert, [layers][experts].
using Parts = std::vector<std::vector<std::int32_t>>;

/// Tokens whose main expert changes its part from one layer to the next.
std::int64_t crossings(const Transitions& transitions, const Parts& parts);

}  // namespace switchyard
