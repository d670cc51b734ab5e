// Routing from hidden states in memory on one core, step by step as `route` does it: what share of
// the core's multiply-add peak the gate projection reaches, and what share of the time the
// selection takes. Peak, reading, projection and selection take turns; of each the fastest turn
// counts, for other work on the machine only ever slows them.
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
#include "kernels/workloads/workload.hpp"

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

/// Seconds of a core that one turn takes.
struct Turn {
  double peak = std::numeric_limits<double>::infinity();
  double reading = peak;  // the hidden states, from the user's tensor
  double projecting = peak;
  double selecting = peak;

  void keep_fastest(const Turn& other) {
    peak = std::min(peak, other.peak);
    reading = std::min(reading, other.reading);
    projecting = std::min(projecting, other.projecting);
    selecting = std::min(selecting, other.selecting);
  }
};

/// hidden states [tokens, width] -> logits -> the best of them.
void project_and_select(benchmark::State& state) {
  if (bench::multiply_add_lanes() == 0) {
    state.SkipWithError("measured for 256- and 512-bit vectors only");
    return;
  }
  omp_set_num_threads(1);
  const auto tokens = static_cast<std::size_t>(state.range(0));
  const auto width = static_cast<std::size_t>(state.range(1));
  const auto experts = static_cast<std::size_t>(state.range(2));
  Matrix<float> tensor(tokens, width);
  Matrix<float> hidden(tokens, width);
  Matrix<float> gate(experts, width);
  RandomStream(1, {0}).fill_normal(tensor.values());
  RandomStream(1, {1}).fill_normal(gate.values());
  Matrix<float> logits(tokens, experts);
  Parameters values(nlohmann::json{{"k", state.range(3)}, {"executor", "cpu"}}, {"benchmark", ""});
  const auto router = Registry<Router>::instance().create("top_k", "router", values);
  const GateProjection projection(gate.view());
  double peak_operations = 0;
  Turn fastest;
  for (auto _ : state) {
    Turn turn{.peak = 0, .reading = 0, .projecting = 0, .selecting = 0};
    turn.peak = bench::cpu_seconds_of(
        [&] { peak_operations = bench::run_multiply_add_chains(kPeakRounds); });
    fill_in_runs(
        hidden.view(),
        [&](std::size_t first, MatrixView<float> run) {
          turn.reading += bench::cpu_seconds_of([&] {
            const auto rows = tensor.view().part(first, run.rows()).values();
            std::copy(rows.begin(), rows.end(), run.values().begin());
          });
        },
        [&](std::size_t first, std::size_t count) {
          turn.projecting += bench::cpu_seconds_of([&] {
            projection.project(hidden.view().part(first, count), logits.view().part(first, count));
          });
        });
    turn.selecting = bench::cpu_seconds_of(
        [&] { benchmark::DoNotOptimize(router->route({.logits = logits.view()})); });
    state.SetIterationTime(turn.reading + turn.projecting + turn.selecting);
    fastest.keep_fastest(turn);
  }
  const double rate = 2.0 * static_cast<double>(tokens * width * experts) / fastest.projecting;
  const double routing = fastest.projecting + fastest.selecting;
  state.counters["FLOP/s"] = rate;
  state.counters["% of peak"] = 100 * rate / (peak_operations / fastest.peak);
  state.counters["% selecting"] = 100 * fastest.selecting / routing;
  state.counters["% selecting, reading included"] =
      100 * fastest.selecting / (routing + fastest.reading);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(tokens));
}

BENCHMARK(project_and_select)
    ->ArgNames({"tokens", "hidden", "experts", "k"})
    ->Args({512, 2048, 64, 6})
    ->Args({4096, 2048, 64, 6})
    ->Args({4096, 7168, 256, 8})
    ->UseManualTime()
    ->MinTime(1.0);

}  // namespace
}  // namespace switchyard
