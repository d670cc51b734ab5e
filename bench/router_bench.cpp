// Speed of the CPU routers on one core, tokens per second. Logits are drawn once per run.
#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>
#include <omp.h>

#include "core/random.hpp"
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

BENCHMARK_CAPTURE(route_logits, top_8, "top_k", R"({"k": 8})")->Arg(256);
BENCHMARK_CAPTURE(route_logits, top_8_all, "top_k", R"({"k": 8, "renormalise": false})")->Arg(256);
BENCHMARK_CAPTURE(route_logits, top_6, "top_k", R"({"k": 6})")->Arg(64);

}  // namespace
}  // namespace switchyard
