// Counting a traffic matrix: (token, choice) pairs per second and core, against a plain histogram
// of the same ids (the least that any count must do), for EP 8, 64 and 1024.
#include <vector>

#include <benchmark/benchmark.h>

#include "core/numbers/random.hpp"
#include "sim/exchange/traffic.hpp"
#include "sim/placement.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kExperts = 256;
constexpr std::size_t kTopK = 8;
constexpr std::size_t kTokens = 65536;

// Experts of a token are distinct and skewed towards low ids, as in real traces.
RoutingTrace skewed_trace() {
  RandomStream random(1, {1});
  TraceColumns columns;
  columns.chunks = {{.row_count = static_cast<std::int64_t>(kTokens)}};
  for (std::size_t row = 0; row < kTokens; ++row) {
    const double u = random.uniform();
    const auto first = static_cast<std::size_t>(u * u * kExperts);
    const std::size_t stride = 1 + 2 * random.index(kExperts / 2);  // odd: never repeats
    for (std::size_t choice = 0; choice < kTopK; ++choice) {
      columns.expert_ids.push_back(static_cast<std::int32_t>((first + choice * stride) % kExperts));
    }
  }
  TraceMetadata metadata;
  metadata.model.experts = kExperts;
  return RoutingTrace::from_columns(metadata, std::move(columns));
}

void count_traffic(benchmark::State& state) {
  const auto ranks = static_cast<std::size_t>(state.range(0));
  const Fabric fabric = load_topology(ranks <= 64 ? "hgx_h100_rail_64" : "hgx_h100_rail_1024");
  LayerPlacement placement;
  for (std::size_t expert = 0; expert < kExperts; ++expert) {
    placement.slot_to_expert.push_back(static_cast<std::int32_t>(expert));
    placement.slot_to_rank.push_back(static_cast<std::int32_t>(expert * ranks / kExperts));
  }
  const ExpertRanks experts(placement, kExperts, fabric, ranks);
  const RoutingTrace trace = skewed_trace();
  const Chunk& chunk = trace.chunks().front();
  const std::vector<std::int32_t> source(kTokens, 3);
  for (auto _ : state) {
    TrafficCounter counter(experts, fabric, ranks, kExperts);
    counter.add(trace, chunk, trace.expert_ids(chunk), source);
    benchmark::DoNotOptimize(counter.take());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kTokens * kTopK));
}

void plain_histogram(benchmark::State& state) {
  const RoutingTrace trace = skewed_trace();
  const ExpertIds ids = trace.expert_ids(trace.chunks().front());
  for (auto _ : state) {
    std::vector<std::int64_t> counts(kExperts, 0);
    ids.visit([&](auto values) {
      for (const auto id : values) {
        ++counts[static_cast<std::size_t>(id)];
      }
    });
    benchmark::DoNotOptimize(counts);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kTokens * kTopK));
}

BENCHMARK(count_traffic)->Arg(8)->Arg(64)->Arg(1024);
BENCHMARK(plain_histogram);

}  // namespace
}  // namespace switchyard
