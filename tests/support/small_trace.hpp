// Tiny traces for tests that need one but not what is in it.
#pragma once

#include <memory>

#include "traces/expert_load.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard::testing {

struct SmallTrace {
  std::int64_t steps = 1;
  std::int64_t layers = 2;
  std::int64_t ranks = 8;  // source ranks; 0 = chunks without a rank
  std::int64_t tokens_per_rank = 4;
  std::int64_t experts = 16;
  std::int64_t top_k = 2;
  bool with_weights = true;
  bool with_logits = false;
};

/// Token t of layer l takes experts (7t + 3l + c) mod experts for choice c, weights 1/k.
RoutingTrace small_trace(const SmallTrace& shape);
std::shared_ptr<const RoutingData> small_routing(const SmallTrace& shape);

}  // namespace switchyard::testing
