#include "tests/support/small_traces.hpp"

#include <numeric>
#include <utility>

#include "core/numbers/random.hpp"

namespace switchyard::testing {

TraceMetadata small_metadata() {
  TraceMetadata metadata;
  metadata.model = {.hidden = 64, .experts = 4, .top_k = 2, .layers = 2, .dtype = "bf16"};
  metadata.router = "top_k";
  metadata.seed = 5;
  metadata.provenance = "written by hand";
  return metadata;
}

TraceColumns small_columns() {
  TraceColumns columns;
  columns.chunks = {{0, 0, -1, 0, 3}, {0, 1, -1, 3, 3}};
  columns.expert_ids = {0, 1, 1, 2, 3, kNoExpert, 2, 0, 2, 1, 2, 3};
  columns.gate_weights = {0.5F, 0.5F, 0.75F, 0.25F, 1, 0, 0.6F, 0.4F, 0.9F, 0.1F, 0.7F, 0.3F};
  columns.sequence_ids = {7, 7, 9, 7, 7, 9};
  return columns;
}

RoutingTrace small_trace() {
  return RoutingTrace::from_columns(small_metadata(), small_columns(), {"small", ""});
}

namespace {

void add_token(TraceColumns& columns, const RandomTraceShape& shape, RandomStream& random) {
  std::vector<std::int32_t> experts(static_cast<std::size_t>(shape.experts));
  std::iota(experts.begin(), experts.end(), 0);
  for (std::size_t choice = 0; choice < static_cast<std::size_t>(shape.top_k); ++choice) {
    std::swap(experts[choice], experts[choice + random.index(experts.size() - choice)]);
    columns.expert_ids.push_back(random.index(10) == 0 ? kNoExpert : experts[choice]);
    if (shape.has_weights) {
      columns.gate_weights.push_back(static_cast<float>(random.uniform()));
    }
  }
  for (std::int64_t expert = 0; shape.has_logits && expert < shape.experts; ++expert) {
    columns.logits.push_back(static_cast<float>(random.normal()));
  }
  if (shape.has_sequences) {
    columns.sequence_ids.push_back(static_cast<std::int64_t>(random.index(4)));
  }
}

}  // namespace

TraceColumns random_columns(const RandomTraceShape& shape, std::uint64_t seed) {
  RandomStream random(seed, {1});
  TraceColumns columns;
  std::int64_t first = 0;
  for (std::int64_t step = 0; step < shape.steps; ++step) {
    for (std::int64_t layer = 0; layer < shape.layers; ++layer) {
      for (std::int64_t rank = shape.ranks == 0 ? -1 : 0; rank < shape.ranks; ++rank) {
        columns.chunks.push_back({step, layer, rank, first, shape.tokens});
        first += shape.tokens;
        for (std::int64_t token = 0; token < shape.tokens; ++token) {
          add_token(columns, shape, random);
        }
        if (shape.ranks == 0) {
          break;
        }
      }
    }
  }
  return columns;
}

RoutingTrace random_trace(const RandomTraceShape& shape, std::uint64_t seed) {
  TraceMetadata metadata;
  metadata.model.experts = shape.experts;
  metadata.model.top_k = shape.top_k;
  metadata.seed = seed;
  return RoutingTrace::from_columns(metadata, random_columns(shape, seed), {"random", ""});
}

}  // namespace switchyard::testing
