// What a network costs: the closed form at a thousand ranks, SimGrid where it still finishes. And
// what the all-to-all algorithms cost to lay out.
// Traffic is uneven (log-normal per destination and per pair); the fabric has eight GPUs a node,
// one NIC each, one leaf per rail and four nodes, and a 2:1 spine.
#include <cmath>
#include <map>
#include <memory>

#include <benchmark/benchmark.h>

#include "core/random.hpp"
#include "sim/all_to_all.hpp"
#include "sim/network/network.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kGpusPerNode = 8;
constexpr std::size_t kNodesPerLeaf = 4;

class RailFabric {
 public:
  static Fabric build(std::size_t ranks) {
    RailFabric draft;
    const DeviceId spine = draft.device("spine", DeviceKind::Switch);
    const std::size_t nodes = ranks / kGpusPerNode;
    std::vector<DeviceId> leaves;
    const std::size_t groups = (nodes + kNodesPerLeaf - 1) / kNodesPerLeaf;
    for (std::size_t leaf = 0; leaf < groups * kGpusPerNode; ++leaf) {
      leaves.push_back(draft.device("leaf" + std::to_string(leaf), DeviceKind::Switch));
      draft.cable(leaves.back(), spine, kNodesPerLeaf * 50e9 / 2);
    }
    for (std::size_t node = 0; node < nodes; ++node) {
      const std::string number = std::to_string(node);
      const DeviceId hub = draft.device("nvswitch" + number, DeviceKind::Switch, NodeId(node));
      for (std::size_t local = 0; local < kGpusPerNode; ++local) {
        const std::string suffix = number + "." + std::to_string(local);
        const DeviceId gpu = draft.device("gpu" + suffix, DeviceKind::Gpu, NodeId(node));
        const DeviceId nic = draft.device("nic" + suffix, DeviceKind::Nic, NodeId(node));
        draft.cable(gpu, hub, node % 3 == 2 ? 300e9 : 450e9);
        draft.cable(gpu, nic, 64e9);
        draft.cable(
            nic, leaves[node / kNodesPerLeaf * kGpusPerNode + local], node % 4 == 1 ? 25e9 : 50e9);
      }
    }
    return Fabric(std::move(draft.parts_));
  }

 private:
  DeviceId device(const std::string& name, DeviceKind kind, NodeId node = {}) {
    parts_.devices.push_back({.name = name, .kind = kind, .node = node});
    return DeviceId(parts_.devices.size() - 1);
  }

  void cable(DeviceId a, DeviceId b, double rate) {
    for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
      parts_.links.push_back(
          {.name = parts_.devices[from.index()].name + "->" + parts_.devices[to.index()].name,
           .from = from,
           .to = to,
           .bandwidth = {rate}});
    }
  }

  Fabric::Parts parts_{.name = "rails"};
};

/// Fabric and traffic of a size, built once.
struct Case {
  explicit Case(std::size_t ranks) : fabric(RailFabric::build(ranks)) {
    (void)fabric.routes(ranks);
    RandomStream random(1, {ranks});
    std::vector<double> popularity(ranks);
    for (double& value : popularity) {
      value = std::exp(0.7 * random.normal());
    }
    schedule.rank_count = ranks;
    for (std::size_t source = 0; source < ranks; ++source) {
      for (std::size_t step = 1; step < ranks; ++step) {
        const std::size_t destination = (source + step) % ranks;
        schedule.add(source,
                     destination,
                     1 + static_cast<std::int64_t>(262144 * popularity[destination] *
                                                   std::exp(0.7 * random.normal())));
      }
    }
  }

  static const Case& of(std::size_t ranks) {
    static std::map<std::size_t, std::unique_ptr<Case>> cases;
    auto& found = cases[ranks];
    if (!found) {
      found = std::make_unique<Case>(ranks);
    }
    return *found;
  }

  Fabric fabric;
  Schedule schedule;
};

void run_network(benchmark::State& state, const char* name) {
  const Case& input = Case::of(static_cast<std::size_t>(state.range(0)));
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
BENCHMARK_CAPTURE(run_network, simgrid, "simgrid")
    ->Arg(16)
    ->Arg(32)
    ->Arg(64)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void lay_out(benchmark::State& state, const std::string& name) {
  const auto ranks = static_cast<std::size_t>(state.range(0));
  const Case& input = Case::of(ranks);
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
