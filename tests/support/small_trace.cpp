#include "tests/support/small_trace.hpp"

#include <algorithm>

namespace switchyard::testing {
namespace {

void add_row(const SmallTrace& shape,
             std::int64_t token,
             std::int64_t layer,
             TraceColumns& columns) {
  for (std::int64_t choice = 0; choice < shape.top_k; ++choice) {
    const std::int64_t expert = (7 * token + 3 * layer + choice) % shape.experts;
    columns.expert_ids.push_back(static_cast<std::int32_t>(expert));
    if (shape.with_weights) {
      columns.gate_weights.push_back(1.0F / static_cast<float>(shape.top_k));
    }
  }
  for (std::int64_t expert = 0; shape.with_logits && expert < shape.experts; ++expert) {
    columns.logits.push_back(static_cast<float>((5 * token + 11 * expert) % 17));
  }
}

}  // namespace

RoutingTrace small_trace(const SmallTrace& shape) {
  TraceColumns columns;
  std::int64_t row = 0;
  for (std::int64_t step = 0; step < shape.steps; ++step) {
    for (std::int64_t layer = 0; layer < shape.layers; ++layer) {
      for (std::int64_t rank = 0; rank < std::max<std::int64_t>(shape.ranks, 1); ++rank) {
        columns.chunks.push_back({.step = step,
                                  .layer = layer,
                                  .source_rank = shape.ranks == 0 ? -1 : rank,
                                  .first_row = row,
                                  .row_count = shape.tokens_per_rank});
        for (std::int64_t i = 0; i < shape.tokens_per_rank; ++i) {
          add_row(shape, rank * shape.tokens_per_rank + i, layer, columns);
          ++row;
        }
      }
    }
  }
  TraceMetadata metadata;
  metadata.model = {.hidden = 1024,
                    .experts = shape.experts,
                    .top_k = shape.top_k,
                    .layers = shape.layers,
                    .dtype = "bf16"};
  return RoutingTrace::from_columns(metadata, std::move(columns), {"small trace", ""});
}

std::shared_ptr<const RoutingData> small_routing(const SmallTrace& shape) {
  return std::make_shared<const RoutingData>(small_trace(shape));
}

}  // namespace switchyard::testing
