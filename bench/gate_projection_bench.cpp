// Routing from hidden states on one core: what share of the core's multiply-add peak the gate
// projection reaches, and what share of the time is left for the selection. Peak, projection and
// selection take turns; of each the fastest turn counts, for other
// work on the machine only ever slows them.
#include <algorithm>
#include <limits>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>
#include <omp.h>

#include "bench/cpu_seconds.hpp"
#include "bench/multiply_add_peak.hpp"
#include "core/numbers/random.hpp"
#include "kernels/router.hpp"
#include "kernels/stages/gate_projection.hpp"

namespace switchyard {
namespace {

constexpr std::int64_t kPeakRounds = 200'000;

void multiply_add_peak(benchmark::State& state) {
  if (bench::multiply_add_lanes() == 0) {
    state.SkipWithError("measured for 256- and 512-bit vectors only");
    return;
  }
  double operations = 0;
  for (auto _ : state) {
    operations += bench::run_multiply_add_chains(kPeakRounds);
  }
  state.counters["FLOP/s"] = benchmark::Counter(operations, benchmark::Counter::kIsRate);
}

BENCHMARK(multiply_add_peak)->MinTime(0.5);

/// hidden states [tokens, width] -> logits -> the best of them, as `route` does it.
void project_and_select(benchmark::State& state) {
  if (bench::multiply_add_lanes() == 0) {
    state.SkipWithError("measured for 256- and 512-bit vectors only");
    return;
  }
  omp_set_num_threads(1);
  const auto tokens = static_cast<std::size_t>(state.range(0));
  const auto width = static_cast<std::size_t>(state.range(1));
  const auto experts = static_cast<std::size_t>(state.range(2));
  Matrix<float> hidden(tokens, width);
  Matrix<float> gate(experts, width);
  RandomStream(1, {0}).fill_normal(hidden.values());
  RandomStream(1, {1}).fill_normal(gate.values());
  Matrix<float> logits(tokens, experts);
  Parameters values(nlohmann::json{{"k", state.range(3)}, {"executor", "cpu"}}, {"benchmark", ""});
  const auto router = Registry<Router>::instance().create("top_k", "router", values);
  const GateProjection projection(gate.view());
  double peak_operations = 0;
  double peak = std::numeric_limits<double>::infinity();
  double projecting = peak;
  double selecting = peak;
  for (auto _ : state) {
    peak = std::min(peak, bench::cpu_seconds_of([&] {
                      peak_operations = bench::run_multiply_add_chains(kPeakRounds);
                    }));
    const double project =
        bench::cpu_seconds_of([&] { projection.project(hidden.view(), logits.view()); });
    const double select = bench::cpu_seconds_of(
        [&] { benchmark::DoNotOptimize(router->route({.logits = logits.view()})); });
    projecting = std::min(projecting, project);
    selecting = std::min(selecting, select);
    state.SetIterationTime(project + select);
  }
  const double rate = 2.0 * static_cast<double>(tokens * width * experts) / projecting;
  state.counters["FLOP/s"] = rate;
  state.counters["% of peak"] = 100 * rate / (peak_operations / peak);
  state.counters["% selecting"] = 100 * selecting / (projecting + selecting);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(tokens));
}

BENCHMARK(project_and_select)
    ->ArgNames({"tokens", "hidden", "experts", "k"})
    ->Args({512, 2048, 64, 6})   // hidden states in a cache
    ->Args({4096, 2048, 64, 6})  // and from memory
    ->Args({4096, 7168, 256, 8})
    ->UseManualTime()
    ->MinTime(1.0);

}  // namespace
}  // namespace switchyard
