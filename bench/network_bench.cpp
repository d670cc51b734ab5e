// What a network costs: the closed form at a thousand ranks, SimGrid against `fluid` where SimGrid
// still finishes (the largest case takes minutes). And what the all-to-all algorithms cost to lay
// out. Fabric and traffic: rail_exchange.hpp.
#include <algorithm>
#include <limits>

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include "bench/rail_exchange.hpp"
#include "core/error.hpp"
#include "sim/all_to_all.hpp"
#include "sim/network/network.hpp"

namespace switchyard {
namespace {

using bench::RailExchange;

void run_network(benchmark::State& state, const char* name) {
  const RailExchange& input = RailExchange::of(static_cast<std::size_t>(state.range(0)));
  Parameters defaults = Parameters::describing();
  const auto network = Registry<Network>::instance().create(name, "network", defaults);
  for (auto _ : state) {
    benchmark::DoNotOptimize(network->simulate(input.fabric, input.schedule, {}));
  }
  state.counters["transfers"] = static_cast<double>(input.schedule.transfer_count());
}

BENCHMARK_CAPTURE(run_network, bound, "bound")
    ->Arg(64)
    ->Arg(256)
    ->Arg(1024)
    ->Unit(benchmark::kMillisecond);

/// CPU seconds of this process and of the children it has waited for: SimGrid runs in one.
double cpu_seconds() {
  double seconds = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    for (const timeval& time : {usage.ru_utime, usage.ru_stime}) {
      seconds += static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    }
  }
  return seconds;
}

/// Ranks, and how many transfers a rank may have outstanding (0 = all at once). The time is
/// SimGrid's; `fluid` runs exactly.
void simgrid_against_fluid(benchmark::State& state) {
  const RailExchange& input = RailExchange::of(static_cast<std::size_t>(state.range(0)));
  const NetworkOptions options{
      .outstanding = static_cast<std::int32_t>(state.range(1)),
      .exact_transfer_limit = std::numeric_limits<std::int64_t>::max(),
  };
  const auto seconds_of = [&](const char* name) {
    Parameters defaults = Parameters::describing();
    const auto network = Registry<Network>::instance().create(name, "network", defaults);
    const double begin = cpu_seconds();
    benchmark::DoNotOptimize(network->simulate(input.fabric, input.schedule, options));
    return cpu_seconds() - begin;
  };
  for (auto _ : state) {
    try {
      const double simgrid = seconds_of("simgrid");
      const double fluid =
          std::min({seconds_of("fluid"), seconds_of("fluid"), seconds_of("fluid")});
      state.SetIterationTime(simgrid);
      state.counters["fluid_ms"] = fluid * 1e3;
      state.counters["ratio"] = simgrid / fluid;
    } catch (const MissingCapability& gave_up) {
      state.SkipWithError(gave_up.what());
    }
  }
  state.counters["transfers"] = static_cast<double>(input.schedule.transfer_count());
}

BENCHMARK(simgrid_against_fluid)
    ->ArgNames({"ranks", "outstanding"})
    ->Args({16, 0})
    ->Args({32, 0})
    ->Args({64, 0})
    ->Args({64, 8})
    ->Args({128, 8})
    ->Args({256, 8})
    ->Args({128, 0})
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

void lay_out(benchmark::State& state, const std::string& name) {
  const auto ranks = static_cast<std::size_t>(state.range(0));
  const RailExchange& input = RailExchange::of(ranks);
  Exchange exchange{.copy_bytes = bytes_between_ranks(input.schedule)};
  exchange.rank_bytes = exchange.copy_bytes;
  exchange.node_bytes = Matrix<std::int64_t>(ranks, input.fabric.node_count());
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    exchange.node_of_rank.push_back(input.fabric.node_of(RankId(rank)).value);
    exchange.token_bytes.push_back(std::int64_t{1} << 22);
  }
  for (std::size_t source = 0; source < ranks; ++source) {
    for (std::size_t destination = 0; destination < ranks; ++destination) {
      exchange.node_bytes(source, static_cast<std::size_t>(exchange.node_of_rank[destination])) +=
          exchange.rank_bytes(source, destination) / 4;
    }
  }
  Parameters defaults = Parameters::describing();
  const auto algorithm = Registry<AllToAll>::instance().create(name, "all-to-all", defaults);
  std::size_t transfers = 0;
  for (auto _ : state) {
    transfers = algorithm->schedule(exchange).transfer_count();
  }
  state.counters["transfers"] = static_cast<double>(transfers);
}

const bool kRegistered = [] {
  for (const std::string& name : Registry<AllToAll>::instance().names()) {
    benchmark::RegisterBenchmark(("lay_out/" + name).c_str(), lay_out, name)
        ->Arg(64)
        ->Arg(256)
        ->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
}  // namespace switchyard
