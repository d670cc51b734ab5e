// Speed of the CPU routers on one core, tokens per second, beside PyTorch's where Debian's
// python3-torch (or another PyTorch that python3 finds) is installed. Logits are drawn once per
// run.
#include <algorithm>
#include <cstdio>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <benchmark/benchmark.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <omp.h>

#include "bench/cpu_seconds.hpp"
#include "core/numbers/random.hpp"
#include "kernels/router.hpp"

namespace switchyard {
namespace {

Matrix<float> normal_logits(std::size_t tokens, std::size_t experts) {
  Matrix<float> logits(tokens, experts);
  RandomStream(1, {tokens, experts}).fill_normal(logits.values());
  return logits;
}

constexpr std::size_t kTokens = 4096;

/// CPU seconds of PyTorch for kTokens tokens on one thread, see bench/pytorch_top_k.py.
struct PyTorchTimes {
  std::string version;
  double softmax_then_top_k = 0;
  double renormalised = 0;
  double top_k_then_softmax = 0;
};

/// Measured once for each shape; nothing where there is no PyTorch.
const std::optional<PyTorchTimes>& pytorch_times(std::int64_t experts, std::int64_t k) {
  static std::map<std::pair<std::int64_t, std::int64_t>, std::optional<PyTorchTimes>> known;
  const auto [entry, is_new] = known.try_emplace({experts, k});
  if (!is_new) {
    return entry->second;
  }
  // Debian's own interpreter first: another python3 in the path would not see its packages.
  for (const char* const python : {"/usr/bin/python3", "python3"}) {
    const std::string command =
        fmt::format("{} {} {} {} 2>/dev/null", python, SWITCHYARD_PYTORCH_SCRIPT, experts, k);
    FILE* const output = popen(command.c_str(), "r");
    if (output == nullptr) {
      continue;
    }
    PyTorchTimes times;
    times.version.resize(64);
    const int found = std::fscanf(output,
                                  "%63s %lf %lf %lf",
                                  times.version.data(),
                                  &times.softmax_then_top_k,
                                  &times.renormalised,
                                  &times.top_k_then_softmax);
    if (pclose(output) == 0 && found == 4) {
      times.version.resize(times.version.find('\0'));
      entry->second = std::move(times);
      break;
    }
  }
  return entry->second;
}

void route_by_pytorch(benchmark::State& state, double PyTorchTimes::*way) {
  const auto& times = pytorch_times(state.range(0), state.range(1));
  if (!times) {
    state.SkipWithError("no PyTorch: apt-get install --no-install-recommends python3-torch");
    return;
  }
  for (auto _ : state) {
    state.SetIterationTime(*times.*way);
  }
  state.SetLabel("PyTorch " + times->version);
  state.SetItemsProcessed(static_cast<std::int64_t>(kTokens));
}

#define SWITCHYARD_PYTORCH_BENCHMARK(way)                      \
  BENCHMARK_CAPTURE(route_by_pytorch, way, &PyTorchTimes::way) \
      ->ArgNames({"experts", "k"})                             \
      ->Args({256, 8})                                         \
      ->Args({64, 6})                                          \
      ->Iterations(1)                                          \
      ->UseManualTime()

SWITCHYARD_PYTORCH_BENCHMARK(softmax_then_top_k);
SWITCHYARD_PYTORCH_BENCHMARK(renormalised);
SWITCHYARD_PYTORCH_BENCHMARK(top_k_then_softmax);

void route_logits(benchmark::State& state, const char* name, const char* parameters) {
  omp_set_num_threads(1);
  const Matrix<float> logits = normal_logits(kTokens, static_cast<std::size_t>(state.range(0)));
  Parameters values(nlohmann::json::parse(parameters), {"benchmark", ""});
  const auto router = Registry<Router>::instance().create(name, "router", values);
  double fastest = std::numeric_limits<double>::infinity();
  for (auto _ : state) {
    fastest = std::min(fastest, bench::cpu_seconds_of([&] {
                         benchmark::DoNotOptimize(router->route({.logits = logits.view()}));
                       }));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kTokens));
  state.counters["fastest, tokens/s"] = static_cast<double>(kTokens) / fastest;
  const auto k = static_cast<std::int64_t>(router->top_k());
  if (const auto& pytorch = pytorch_times(state.range(0), k)) {
    state.counters["x PyTorch"] = pytorch->softmax_then_top_k / fastest;
    state.counters["x its best"] =
        std::min(pytorch->softmax_then_top_k, pytorch->top_k_then_softmax) / fastest;
  }
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
  constexpr std::size_t kExperts = 8;
  Matrix<float> hidden(kTokens, 4096);
  Matrix<float> gate(kExperts, 4096);
  RandomStream(1, {0}).fill_normal(hidden.values());
  RandomStream(1, {1}).fill_normal(gate.values());
  Parameters values(nlohmann::json::object(), {"benchmark", ""});
  const auto router = Registry<Router>::instance().create("ac", "router", values);
  const RoutingDecision before = router->route({.hidden = hidden.view(), .gate = gate.view()});
  double fastest = std::numeric_limits<double>::infinity();
  for (auto _ : state) {
    fastest = std::min(fastest, bench::cpu_seconds_of([&] {
                         benchmark::DoNotOptimize(router->route({.hidden = hidden.view(),
                                                                 .gate = gate.view(),
                                                                 .previous_layer = &before,
                                                                 .layer = state.range(0)}));
                       }));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kTokens));
  state.counters["fastest, us/token"] = 1e6 * fastest / static_cast<double>(kTokens);
}

BENCHMARK(route_by_clusters)->ArgName("layer")->Arg(0)->Arg(2);

}  // namespace
}  // namespace switchyard
