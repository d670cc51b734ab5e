#include "sim/offload/tier_links.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "topologies/path_search.hpp"

namespace switchyard {
namespace {

std::optional<DeviceId> first_device(const Fabric& fabric, DeviceKind kind, NodeId node) {
  for (std::size_t i = 0; i < fabric.devices().size(); ++i) {
    const Device& device = fabric.devices()[i];
    if (device.kind == kind && device.node == node) {
      return DeviceId(i);
    }
  }
  return std::nullopt;
}

// Links from one device to another, in path order.
std::vector<LinkId> way(const Fabric& fabric, DeviceId from, DeviceId to, const Location& where) {
  const PathSearch search(fabric.devices(), fabric.links());
  const auto name = [&](DeviceId device) { return fabric.devices()[device.index()].name; };
  for (const auto& [first, second] : {std::pair(from, to), std::pair(to, from)}) {
    if (!search.reached_from(first)[second.index()]) {
      throw InvalidInput(fmt::format("{} does not reach {}", name(first), name(second)), where);
    }
  }
  const RouteTable table =
      search.routes(std::array{from, to}, PathPolicy::Pinned, fabric.path_seed());
  std::vector<LinkId> links;
  for (const Hop& hop : table.hops(0, 1)) {
    links.push_back(hop.link);
  }
  return links;
}

CopyLink link_over(const Fabric& fabric, const std::vector<LinkId>& links) {
  CopyLink answer;
  for (const LinkId id : links) {
    const Link& link = fabric.links()[id.index()];
    const BytesPerSecond rate = link.effective_bandwidth();
    answer.bandwidth = answer.exists() ? std::min(answer.bandwidth, rate) : rate;
    answer.latency += link.latency;
  }
  return answer;
}

}  // namespace

MemoryTier tier_of(const Fabric& fabric, const Location& where) {
  MemoryTier tier;
  const NodeId node = fabric.node_of(RankId(0));
  const std::span<const RankId> ranks = fabric.ranks_of(node);
  const auto memory = first_device(fabric, DeviceKind::HostMemory, node);
  const auto ssd = first_device(fabric, DeviceKind::Ssd, node);
  tier.gpus = ranks.size();
  if (!memory && !ssd) {
    throw InvalidInput(
        fmt::format("{} has neither host memory nor an SSD beside its GPUs", fabric.name()),
        where,
        "add devices of kind host_memory or ssd to the topology, or set "
        "memory.host_link");
  }
  const DeviceId nearest = memory ? *memory : *ssd;
  std::map<LinkId, std::size_t> sharers;
  for (const RankId rank : ranks) {
    for (const LinkId link : way(fabric, nearest, fabric.gpu_of(rank), where)) {
      ++sharers[link];
    }
  }
  const std::vector<LinkId> links = way(fabric, nearest, fabric.gpu_of(RankId(0)), where);
  const auto narrowest =
      std::min_element(links.begin(), links.end(), [&](LinkId left, LinkId right) {
        const auto share = [&](LinkId link) {
          return fabric.links()[link.index()].effective_bandwidth().value /
                 static_cast<double>(sharers[link]);
        };
        return share(left) < share(right);
      });
  CopyLink to_gpu = link_over(fabric, links);
  to_gpu.bandwidth = fabric.links()[narrowest->index()].effective_bandwidth();
  tier.gpus_per_link = sharers[*narrowest];
  (memory ? tier.host : tier.ssd) = to_gpu;
  if (memory && ssd) {
    tier.ssd = link_over(fabric, way(fabric, *ssd, *memory, where));
  }
  return tier;
}

}  // namespace switchyard
