// What the fluid network costs: exact, in windows, with a window of outstanding transfers, on even
// traffic, for a step of 58 layers, in memory, and how its cost grows. Fabric and traffic:
// rail_exchange.hpp. SimGrid on the same traffic: network_bench.
#include <cmath>
#include <ctime>
#include <limits>

#include <benchmark/benchmark.h>

#include "bench/peak_memory.hpp"
#include "bench/rail_exchange.hpp"
#include "sim/all_to_all.hpp"
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
  bench::reset_peak_memory();
  for (auto _ : state) {
    makespan = price(schedule, input.fabric, options).makespan_s;
  }
  state.counters["peak_MB"] = bench::peak_memory_mb();  // inputs and results included
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

/// Tokens with eight experts each: bytes per rank and, a quarter of them, per node, log-normal.
Exchange token_exchange(const Fabric& fabric, Direction direction, std::uint64_t layer) {
  const std::size_t ranks = fabric.rank_count();
  Exchange exchange{.direction = direction,
                    .copy_bytes = Matrix<std::int64_t>(ranks, ranks),
                    .rank_bytes = Matrix<std::int64_t>(ranks, ranks),
                    .node_bytes = Matrix<std::int64_t>(ranks, fabric.node_count())};
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    exchange.node_of_rank.push_back(fabric.node_of(RankId(rank)).value);
  }
  RandomStream random(2, {layer});
  for (std::size_t tokens = 0; tokens < ranks; ++tokens) {
    for (std::size_t expert = 0; expert < ranks; ++expert) {
      const auto bytes = 1 + static_cast<std::int64_t>(3e6 * std::exp(0.7 * random.normal()));
      const bool is_dispatch = direction == Direction::Dispatch;
      const std::size_t from = is_dispatch ? tokens : expert;
      const std::size_t to = is_dispatch ? expert : tokens;
      exchange.copy_bytes(from, to) = bytes;
      exchange.rank_bytes(from, to) = bytes;
      exchange.node_bytes(tokens, static_cast<std::size_t>(exchange.node_of_rank[expert])) +=
          bytes / 4;
    }
  }
  return exchange;
}

/// 58 layers, dispatch and combine, each with a matrix of its own; one core.
void node_dedup_step(benchmark::State& state) {
  constexpr std::uint64_t kLayers = 58;
  const RailExchange& input = RailExchange::of(static_cast<std::size_t>(state.range(0)));
  Parameters defaults = Parameters::describing();
  const auto algorithm =
      Registry<AllToAll>::instance().create("node_dedup", "all-to-all", defaults);
  std::size_t transfers = 0;
  for (auto _ : state) {
    for (std::uint64_t layer = 0; layer < kLayers; ++layer) {
      for (const Direction direction : {Direction::Dispatch, Direction::Combine}) {
        const Schedule schedule =
            algorithm->schedule(token_exchange(input.fabric, direction, layer));
        transfers += schedule.transfer_count();
        benchmark::DoNotOptimize(price(schedule, input.fabric, {}).makespan_s);
      }
    }
  }
  state.counters["transfers"] =
      benchmark::Counter(static_cast<double>(transfers), benchmark::Counter::kAvgIterations);
}

double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// Fits CPU time ~ ranks ^ exponent over one run each of the default mode, from 64 ranks.
void growth(benchmark::State& state) {
  double sum_x = 0;
  double sum_y = 0;
  double sum_xx = 0;
  double sum_xy = 0;
  double count = 0;
  for (auto _ : state) {
    for (std::size_t ranks = 64; ranks <= static_cast<std::size_t>(state.range(0)); ranks *= 2) {
      const RailExchange& input = RailExchange::of(ranks);
      const double begin = cpu_seconds();
      (void)price(input.schedule, input.fabric, {});
      const double x = std::log(static_cast<double>(ranks));
      const double y = std::log(cpu_seconds() - begin);
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
BENCHMARK(node_dedup_step)->Arg(64)->Unit(benchmark::kMillisecond);
BENCHMARK(growth)->Arg(2048)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace switchyard
