// Speed of the CPU routers on one core, tokens per second. Logits are drawn once per run.
#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>
#include <omp.h>

#include "core/numbers/random.hpp"
#include "kernels/router.hpp"

namespace switchyard {
namespace {

Matrix<float> normal_logits(std::size_t tokens, std::size_t experts) {
  Matrix<float> logits(tokens, experts);
  RandomStream(1, {tokens, experts}).fill_normal(logits.values());
  return logits;
}

void route_logits(benchmark::State& state, const char* name, const char* parameters) {
  omp_set_num_threads(1);
  constexpr std::size_t kTokens = 4096;
  const Matrix<float> logits = normal_logits(kTokens, static_cast<std::size_t>(state.range(0)));
  Parameters values(nlohmann::json::parse(parameters), {"benchmark", ""});
  const auto router = Registry<Router>::instance().create(name, "router", values);
  for (auto _ : state) {
    benchmark::DoNotOptimize(router->route({.logits = logits.view()}));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kTokens));
}

BENCHMARK_CAPTURE(route_logits, top_8, "top_k", R"({"k": 8, "executor": "cpu"})")->Arg(256);
BENCHMARK_CAPTURE(route_logits,
                  top_8_all,
                  "top_k",
                  R"({"k": 8, "renormalise": false, "executor": "cpu"})")
    ->Arg(256);
BENCHMARK_CAPTURE(route_logits, top_6, "top_k", R"({"k": 6, "executor": "cpu"})")->Arg(64);

/// Layer 0 is an ordinary gate, layer 2 adds the cluster statistics and the weighing of tokens.
void route_by_clusters(benchmark::State& state) {
  omp_set_num_threads(1);
  constexpr std::size_t kTokens = 4096;
  constexpr std::size_t kExperts = 8;
  Matrix<float> hidden(kTokens, 4096);
  Matrix<float> gate(kExperts, 4096);
  RandomStream(1, {0}).fill_normal(hidden.values());
  RandomStream(1, {1}).fill_normal(gate.values());
  Parameters values(nlohmann::json::object(), {"benchmark", ""});
  const auto router = Registry<Router>::instance().create("ac", "router", values);
  const RoutingDecision before = router->route({.hidden = hidden.view(), .gate = gate.view()});
  for (auto _ : state) {
    benchmark::DoNotOptimize(router->route({.hidden = hidden.view(),
                                            .gate = gate.view(),
                                            .previous_layer = &before,
                                            .layer = state.range(0)}));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kTokens));
}

BENCHMARK(route_by_clusters)->ArgName("layer")->Arg(0)->Arg(2);

}  // namespace
}  // namespace switchyard
