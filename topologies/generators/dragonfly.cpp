// Groups of routers: all routers of a group are joined directly, and every two groups by
// `global_links` cables, dealt out over the routers of each group in turn (Kim et al., ISCA 2008).
//
//      group 0                     group 1
//     router0 --- router1 ======= router0 --- router1       ---  local link
//        | \     / |                 | \     / |            ===  global link
//        |   \ /   |                 |   \ /   |
//        |   / \   |                 |   / \   |
//     router2 --- router3         router2 --- router3 === group 2 ...
//       |
//     node0, node1 ... (nodes_per_router servers, all their NICs)
//
// Routes are minimal: at most local, global, local. Adaptive detours over a third group are not
// modelled.
#include <fmt/format.h>

#include "topologies/building_blocks/node_parts.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

class Dragonfly final : public TopologyGenerator {
 public:
  explicit Dragonfly(Parameters& parameters)
      : groups_(parameters.get_integer("groups", 3, {1, 1024}, "groups")),
        routers_(parameters.get_integer("routers_per_group", 4, {1, 1024}, "routers in a group")),
        nodes_per_router_(
            parameters.get_integer("nodes_per_router", 1, {1, 1024}, "servers on a router")),
        node_(parameters),
        local_{.bandwidth = parameters.get_bandwidth(
                   "local_link", BytesPerSecond{100e9}, "rate between two routers of a group"),
               .latency = parameters.get_duration(
                   "local_latency", Seconds{400e-9}, "router to router inside a group")},
        global_links_(parameters.get_integer(
            "global_links", 1, {1, 1024}, "cables between every two groups")),
        global_{.bandwidth = parameters.get_bandwidth(
                    "global_link", BytesPerSecond{100e9}, "rate of a cable between groups"),
                .latency = parameters.get_duration(
                    "global_latency", Seconds{1e-6}, "router to router between groups")} {}

  [[nodiscard]] Fabric::Parts generate() const override {
    FabricBuilder builder;
    std::vector<std::vector<NicPort>> ports;  // [nodes][NICs]
    for (std::int64_t i = 0; i < groups_ * routers_ * nodes_per_router_; ++i) {
      ports.push_back(node_.add_to(builder, i).ports);
    }
    std::vector<DeviceId> routers;  // [groups * routers per group]
    for (std::int64_t i = 0; i < groups_ * routers_; ++i) {
      routers.push_back(builder.add_device(
          fmt::format("group{}.router{}", i / routers_, i % routers_), DeviceKind::Switch));
      for (std::int64_t node = i * nodes_per_router_; node < (i + 1) * nodes_per_router_; ++node) {
        for (const NicPort& port : ports[static_cast<std::size_t>(node)]) {
          builder.connect(port.nic, routers.back(), port.cable);
        }
      }
    }
    join_routers(builder, routers);
    return builder.take();
  }

 private:
  void join_routers(FabricBuilder& builder, const std::vector<DeviceId>& routers) const {
    const auto router = [&](std::int64_t group, std::int64_t number) {
      return routers[static_cast<std::size_t>(group * routers_ + number)];
    };
    for (std::int64_t group = 0; group < groups_; ++group) {
      for (std::int64_t one = 0; one < routers_; ++one) {
        for (std::int64_t other = one + 1; other < routers_; ++other) {
          builder.connect(router(group, one), router(group, other), local_);
        }
      }
      for (std::int64_t other = group + 1; other < groups_; ++other) {
        for (std::int64_t cable = 0; cable < global_links_; ++cable) {
          builder.connect(router(group, port_owner(group, other, cable)),
                          router(other, port_owner(other, group, cable)),
                          global_);
        }
      }
    }
  }

  // The router of `group` that holds a cable to `other`: neighbours counted from the group itself,
  // so that every group deals its cables out alike.
  [[nodiscard]] std::int64_t port_owner(std::int64_t group,
                                        std::int64_t other,
                                        std::int64_t cable) const {
    const std::int64_t neighbour = (other - group + groups_) % groups_ - 1;
    return (neighbour * global_links_ + cable) % routers_;
  }

  std::int64_t groups_;
  std::int64_t routers_;
  std::int64_t nodes_per_router_;
  NodeParts node_;
  Cable local_;
  std::int64_t global_links_;
  Cable global_;
};

const Register<TopologyGenerator, Dragonfly> kDragonfly{
    "dragonfly", "groups of routers, joined all to all inside and between groups"};

}  // namespace
}  // namespace switchyard
