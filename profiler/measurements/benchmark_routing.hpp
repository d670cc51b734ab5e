// The routing that published benchmarks generate for themselves. Their byte counts are counts over
// this routing, so a number of theirs can only be reproduced from tokens routed the same way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/matrix.hpp"

namespace switchyard {

/// How a benchmark picks the experts of a token.
enum class BenchmarkRouting {
  Uniform,       // no experts: every rank sends equal blocks to every rank (nccl-tests alltoall)
  Random,        // the top k of random scores over all experts (DeepEP test_low_latency)
  GroupLimited,  // ... over the experts of min(nodes, 4) nodes, the best by their best score
                 // (DeepEP tests/legacy/test_internode, num_topk_groups)
  Balanced,      // choice j of token t is expert (t + j x stride) mod experts, stride =
                 // ceil(experts / k) (ai-dynamo/aiconfigurator, balanced collectors)
};

std::string_view benchmark_routing_name(BenchmarkRouting routing);

/// Shape of one rank's batch.
struct RoutingShape {
  std::int64_t tokens = 0;
  std::int64_t top_k = 0;
  std::int64_t experts = 0;
  std::int64_t nodes = 1;
};

/// Expert ids of one rank's tokens, [tokens, top_k], all different in a row. Throws InvalidInput
/// for a shape that cannot be routed and for Uniform, which has no tokens.
Matrix<std::int32_t> benchmark_expert_ids(BenchmarkRouting routing,
                                          const RoutingShape& shape,
                                          std::uint64_t seed,
                                          std::uint64_t rank);

/// Mean number of different ranks and nodes that a token of the shape goes to, its own included.
struct Spread {
  double ranks = 0;
  double nodes = 0;
};

/// Counted over at most 4096 routed tokens of rank 0 and scaled by nothing: a mean per token.
Spread mean_spread(BenchmarkRouting routing,
                   const RoutingShape& shape,
                   std::int64_t ranks,
                   std::uint64_t seed);

}  // namespace switchyard
