// Twenty capacity factors in one pass over 100 million (token, choice) pairs, on one thread.
#include <cstdlib>
#include <filesystem>

#include <benchmark/benchmark.h>

#include "core/numbers/random.hpp"
#include "sim/capacity_sweep.hpp"

namespace switchyard {
namespace {

// `layers` layers of `tokens` tokens on 8 ranks, top-8 of 256 experts, low ids more often.
RoutingData skewed_routing(std::int64_t layers, std::int64_t tokens) {
  TraceColumns columns;
  RandomStream random(1, {1});
  std::int64_t row = 0;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    for (std::int64_t rank = 0; rank < 8; ++rank) {
      columns.chunks.push_back({0, layer, rank, row, tokens / 8});
      row += tokens / 8;
    }
  }
  columns.expert_ids.reserve(static_cast<std::size_t>(row) * 8);
  for (std::int64_t i = 0; i < row; ++i) {
    const double u = random.uniform();
    const auto first = static_cast<std::int32_t>(256 * u * u);
    for (std::int32_t choice = 0; choice < 8; ++choice) {
      columns.expert_ids.push_back((first + 37 * choice) % 256);
    }
  }
  TraceMetadata metadata;
  metadata.model = {.hidden = 7168, .experts = 256, .top_k = 8, .layers = layers, .dtype = "bf16"};
  return RoutingTrace::from_columns(metadata, std::move(columns), {"bench", ""});
}

void capacity_sweep(benchmark::State& state) {
  constexpr std::int64_t kLayers = 8;
  const std::int64_t tokens = state.range(0) * 1'000'000 / (kLayers * 8);
  const RoutingData routing = skewed_routing(kLayers, tokens);
  const RankAssignment ranks(std::get<RoutingTrace>(routing), RankRule::Recorded, 8);
  CapacitySweepOptions options;
  for (int i = 0; i < 20; ++i) {
    options.factors.push_back(0.5 + 0.125 * i);
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(sweep_capacity(routing, &ranks, options));
  }
  state.SetItemsProcessed(state.iterations() * kLayers * tokens * 8);
}

BENCHMARK(capacity_sweep)
    ->Arg(100)
    ->ArgName("million_pairs")
    ->Unit(benchmark::kSecond)
    ->Iterations(1);

}  // namespace
}  // namespace switchyard
