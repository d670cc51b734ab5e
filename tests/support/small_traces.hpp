// Traces of a few rows, written down by hand or drawn from a seed.
#pragma once

#include <cstdint>

#include "traces/routing_trace.hpp"

namespace switchyard::testing {

/// Two layers of three tokens, top-2 of 4 experts, with weights and sequence ids:
/// layer 0: {0,1} {1,2} {3,none}; layer 1: {2,0} {2,1} {2,3}; sequences 7, 7, 9.
TraceMetadata small_metadata();
TraceColumns small_columns();
RoutingTrace small_trace();

struct RandomTraceShape {
  std::int64_t steps = 2;
  std::int64_t layers = 3;
  std::int64_t ranks = 0;   // 0 = not recorded
  std::int64_t tokens = 5;  // per (step, layer, rank)
  std::int64_t experts = 8;
  std::int64_t top_k = 2;
  bool has_weights = true;
  bool has_logits = false;
  bool has_sequences = true;
};

/// Distinct uniform experts; some choices are empty.
TraceColumns random_columns(const RandomTraceShape& shape, std::uint64_t seed);
RoutingTrace random_trace(const RandomTraceShape& shape, std::uint64_t seed);

}  // namespace switchyard::testing
