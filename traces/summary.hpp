// What `inspect` tells about a routing file: its shape, its fidelity, and how even the load of
// every layer is. Loads are summed over steps and source ranks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "traces/expert_load.hpp"

namespace switchyard {

/// One MoE layer. The statistics are those of core/numbers/statistics.hpp over the load of its
/// experts.
struct LayerSummary {
  std::int64_t layer = 0;
  std::int64_t selections = 0;  // (token, expert) pairs
  double imbalance = 1;         // largest load over mean load
  std::int64_t hottest_expert = 0;
  std::int64_t idle_experts = 0;  // never chosen
  double coefficient_of_variation = 0;
  double gini = 0;
  double normalised_entropy = 1;
};

struct RoutingSummary {
  Fidelity fidelity = Fidelity::Counts;
  TraceMetadata metadata;
  std::int64_t steps = 0;
  std::int64_t source_ranks = 0;     // 0 = not recorded
  std::int64_t rows = 0;             // (token, layer) pairs; 0 for counts
  std::int64_t empty_choices = 0;    // choices without an expert; 0 for counts
  std::vector<std::string> columns;  // optional columns present, by their names in the file
  std::vector<LayerSummary> layers;  // ascending
};

/// Reads every row once. Throws InvalidInput for an expert id out of range.
RoutingSummary summarise(const RoutingData& routing);

}  // namespace switchyard
