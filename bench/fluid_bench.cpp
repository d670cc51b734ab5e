// What the fluid network costs: exact, in windows, with a window of outstanding transfers, on even
// traffic, and how its cost grows. Fabric and traffic: rail_exchange.hpp. SimGrid on the same
// traffic: network_bench.
#include <chrono>
#include <cmath>
#include <limits>

#include <benchmark/benchmark.h>

#include "bench/rail_exchange.hpp"
#include "sim/network/network.hpp"

namespace switchyard {
namespace {

using bench::RailExchange;

constexpr std::int64_t kAlwaysExact = std::numeric_limits<std::int64_t>::max();

Timeline price(const Schedule& schedule, const Fabric& fabric, const NetworkOptions& options) {
  Parameters defaults = Parameters::describing();
  return Registry<Network>::instance()
      .create("fluid", "network", defaults)
      ->simulate(fabric, schedule, options);
}

void run(benchmark::State& state, const Schedule& schedule, const NetworkOptions& options) {
  const RailExchange& input = RailExchange::of(static_cast<std::size_t>(state.range(0)));
  double makespan = 0;
  for (auto _ : state) {
    makespan = price(schedule, input.fabric, options).makespan_s;
  }
  state.counters["transfers"] = static_cast<double>(schedule.transfer_count());
  state.counters["makespan_ms"] = makespan * 1e3;
}

const Schedule& uneven(const benchmark::State& state) {
  return RailExchange::of(static_cast<std::size_t>(state.range(0))).schedule;
}

void exact(benchmark::State& state) {
  run(state, uneven(state), {.exact_transfer_limit = kAlwaysExact});
}

void exact_even(benchmark::State& state) {
  run(state, bench::evened(uneven(state)), {.exact_transfer_limit = kAlwaysExact});
}

void by_default(benchmark::State& state) {
  run(state, uneven(state), {});
}

void by_default_even(benchmark::State& state) {
  run(state, bench::evened(uneven(state)), {});
}

void eight_outstanding(benchmark::State& state) {
  run(state, uneven(state), {.outstanding = 8});
}

/// Fits time ~ ranks ^ exponent over one run each of the default mode.
void growth(benchmark::State& state) {
  double sum_x = 0;
  double sum_y = 0;
  double sum_xx = 0;
  double sum_xy = 0;
  double count = 0;
  for (auto _ : state) {
    for (std::size_t ranks = 64; ranks <= static_cast<std::size_t>(state.range(0)); ranks *= 2) {
      const RailExchange& input = RailExchange::of(ranks);
      const auto begin = std::chrono::steady_clock::now();
      (void)price(input.schedule, input.fabric, {});
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      const double x = std::log(static_cast<double>(ranks));
      const double y = std::log(took.count());
      sum_x += x;
      sum_y += y;
      sum_xx += x * x;
      sum_xy += x * y;
      ++count;
    }
  }
  state.counters["exponent_of_ranks"] =
      (count * sum_xy - sum_x * sum_y) / (count * sum_xx - sum_x * sum_x);
}

BENCHMARK(exact)->RangeMultiplier(2)->Range(16, 256)->Unit(benchmark::kMillisecond);
BENCHMARK(exact_even)->RangeMultiplier(2)->Range(64, 256)->Unit(benchmark::kMillisecond);
BENCHMARK(eight_outstanding)->RangeMultiplier(2)->Range(64, 256)->Unit(benchmark::kMillisecond);
BENCHMARK(by_default)->RangeMultiplier(2)->Range(256, 2048)->Unit(benchmark::kMillisecond);
BENCHMARK(by_default_even)->Arg(1024)->Unit(benchmark::kMillisecond);
BENCHMARK(growth)->Arg(2048)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace switchyard
