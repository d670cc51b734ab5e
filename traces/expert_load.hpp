// Counts only: what remains when per-token ids do not exist (fidelity L0 or L1).
#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "core/matrix.hpp"
#include "traces/metadata.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {

/// Which counts a row of ExpertLoad::counts holds.
struct LoadRow {
  std::int64_t step = 0;
  std::int64_t layer = 0;
  std::int64_t source_rank = -1;  // -1 = summed over ranks

  auto operator<=>(const LoadRow&) const = default;
};

struct ExpertLoad {
  TraceMetadata metadata;
  Location where;               // for messages
  std::vector<LoadRow> rows;    // ascending
  Matrix<std::int64_t> counts;  // [rows, experts]: selections

  /// CountsPerRank if every row has a source rank, else Counts.
  [[nodiscard]] Fidelity fidelity() const;
};

/// Throws InvalidInput unless there are rows, each (step, layer, source rank) once and ascending,
/// source ranks recorded everywhere or nowhere, and no count is negative. Sets metadata.model's
/// experts.
void check_load(ExpertLoad& load);

/// Throws InvalidInput if the counts of a row do not add up to a multiple of metadata.model.top_k
/// (where that is known): for sources in which every token has exactly top_k experts.
void check_divides(const ExpertLoad& load);

/// Selections per expert of a trace, one row per chunk's (step, layer, source rank); `by_rank`
/// false sums over source ranks. Throws InvalidInput for an id out of range.
ExpertLoad count_selections(const RoutingTrace& trace, bool by_rank);

/// Whatever a routing file held.
using RoutingData = std::variant<RoutingTrace, ExpertLoad>;

Fidelity fidelity_of(const RoutingData& routing);
const TraceMetadata& metadata_of(const RoutingData& routing);

}  // namespace switchyard
