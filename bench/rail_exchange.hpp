// The fabric and the traffic that network benchmarks run on: eight GPUs a node, one NIC each, rates
// that differ between nodes, one leaf per rail and four nodes, and a 2:1 spine; every rank sends to
// every other, log-normal per destination and per pair around 256 KiB.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "core/numbers/random.hpp"
#include "sim/exchange/schedule.hpp"
#include "topologies/fabric.hpp"

namespace switchyard::bench {

inline constexpr std::size_t kGpusPerNode = 8;
inline constexpr std::size_t kNodesPerLeaf = 4;

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

/// Fabric and traffic of a size. of() keeps the last size asked for.
struct RailExchange {
  explicit RailExchange(std::size_t ranks) : fabric(RailFabric::build(ranks)) {
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

  static const RailExchange& of(std::size_t ranks) {
    static std::unique_ptr<const RailExchange> last;
    if (!last || last->schedule.rank_count != ranks) {
      last.reset();
      last = std::make_unique<const RailExchange>(ranks);
    }
    return *last;
  }

  Fabric fabric;
  Schedule schedule;
};

/// The same pairs and the same total, every transfer alike (to the byte).
inline Schedule evened(const Schedule& uneven) {
  Schedule even = uneven;
  std::int64_t total = 0;
  for (const std::int64_t bytes : uneven.bytes) {
    total += bytes;
  }
  for (std::int64_t& bytes : even.bytes) {
    bytes = total / static_cast<std::int64_t>(uneven.transfer_count());
  }
  return even;
}

}  // namespace switchyard::bench
