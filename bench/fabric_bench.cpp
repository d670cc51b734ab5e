// Cost of building fabrics and their route tables. The target: all routes of 1,024 ranks within a
// second.
#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "topologies/topology_file.hpp"

namespace {

using switchyard::Fabric;

void build_preset(benchmark::State& state, const char* preset) {
  for (auto _ : state) {
    const Fabric fabric = switchyard::load_topology(preset);
    benchmark::DoNotOptimize(fabric.rank_count());
  }
}

void route(benchmark::State& state, nlohmann::json document, const char* policy) {
  document["path_policy"] = policy;
  std::size_t hops = 0;
  std::size_t ranks = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const Fabric fabric = switchyard::fabric_from_json(document, {"bench", ""});
    state.ResumeTiming();
    ranks = fabric.rank_count();
    const auto& routes = fabric.routes(ranks);
    state.PauseTiming();
    hops = 0;
    for (std::size_t source = 0; source < ranks; ++source) {
      for (std::size_t destination = 0; destination < ranks; ++destination) {
        hops += routes.hops(source, destination).size();
      }
    }
    state.ResumeTiming();
  }
  const double table_bytes = static_cast<double>(
      hops * sizeof(switchyard::Hop) + ranks * ranks * (sizeof(std::uint32_t) + sizeof(float)));
  state.counters["ranks"] = static_cast<double>(ranks);
  state.counters["table_MB"] = table_bytes / 1e6;
}

const nlohmann::json kRail1024{{"preset", "hgx_h100_rail_1024"}};
const nlohmann::json kRail2048{{"preset", "hgx_h100_rail_1024"}, {"parameters", {{"nodes", 256}}}};
const nlohmann::json kFatTree1024{{"preset", "fat_tree_1024"}};
const nlohmann::json kDragonfly1024{
    {"generator", "dragonfly"},
    {"parameters", {{"groups", 8}, {"routers_per_group", 16}, {"global_links", 4}}}};
const nlohmann::json kTorus1024{{"generator", "torus"},
                                {"parameters", {{"x", 8}, {"y", 8}, {"z", 16}}}};

}  // namespace

BENCHMARK_CAPTURE(build_preset, rail_1024, "hgx_h100_rail_1024")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(route, rail_1024_hashed, kRail1024, "hashed")
    ->Unit(benchmark::kMillisecond)
    ->Iterations(5);
BENCHMARK_CAPTURE(route, rail_1024_spread, kRail1024, "spread")
    ->Unit(benchmark::kMillisecond)
    ->Iterations(3);
BENCHMARK_CAPTURE(route, rail_2048_hashed, kRail2048, "hashed")
    ->Unit(benchmark::kMillisecond)
    ->Iterations(2);
BENCHMARK_CAPTURE(route, fat_tree_1024_hashed, kFatTree1024, "hashed")
    ->Unit(benchmark::kMillisecond)
    ->Iterations(3);
BENCHMARK_CAPTURE(route, dragonfly_1024_hashed, kDragonfly1024, "hashed")
    ->Unit(benchmark::kMillisecond)
    ->Iterations(3);
BENCHMARK_CAPTURE(route, torus_1024_hashed, kTorus1024, "hashed")
    ->Unit(benchmark::kMillisecond)
    ->Iterations(3);
