// Facts about generated fabrics that a drawing and a pencil give: hop counts, and the rate between
// two halves by maximum flow.
#include <algorithm>
#include <cmath>
#include <functional>

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/push_relabel_max_flow.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

Fabric fabric_of(const std::string& generator, const json& parameters) {
  return fabric_from_json({{"generator", generator}, {"parameters", parameters}}, {"test", ""});
}

std::size_t hops(const Fabric& fabric, std::size_t source, std::size_t target) {
  return fabric.routes(fabric.rank_count()).hops(source, target).size();
}

// The most, in GB/s, that the ranks which `is_left` accepts can send to all others together.
long rate_between(const Fabric& fabric, const std::function<bool(std::size_t)>& is_left) {
  using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
  using Graph = boost::adjacency_list<
      boost::vecS,
      boost::vecS,
      boost::directedS,
      boost::no_property,
      boost::property<
          boost::edge_capacity_t,
          long,
          boost::property<boost::edge_residual_capacity_t,
                          long,
                          boost::property<boost::edge_reverse_t, Traits::edge_descriptor>>>>;
  const std::size_t devices = fabric.devices().size();
  Graph graph(devices + 2);
  const auto add = [&](std::size_t from, std::size_t to, long capacity) {
    const auto there = boost::add_edge(from, to, graph).first;
    const auto back = boost::add_edge(to, from, graph).first;
    boost::put(boost::edge_capacity, graph, there, capacity);
    boost::put(boost::edge_capacity, graph, back, 0);
    boost::put(boost::edge_reverse, graph, there, back);
    boost::put(boost::edge_reverse, graph, back, there);
  };
  constexpr double kMegabyte = 1e6;  // rates of the cases are whole numbers of MB/s
  for (const Link& link : fabric.links()) {
    add(link.from.index(),
        link.to.index(),
        std::lround(link.effective_bandwidth().value / kMegabyte));
  }
  constexpr long kUnlimited = 1'000'000'000;
  for (std::size_t rank = 0; rank < fabric.rank_count(); ++rank) {
    const std::size_t gpu = fabric.gpu_of(RankId{rank}).index();
    if (is_left(rank)) {
      add(devices, gpu, kUnlimited);
    } else {
      add(gpu, devices + 1, kUnlimited);
    }
  }
  return boost::push_relabel_max_flow(graph, devices, devices + 1) / 1000;
}

TEST(SingleSwitch, CarriesTheSumOfHalfTheLinksBetweenHalves) {
  const Fabric fabric = fabric_of("single_switch", {{"gpus", 6}, {"link", "100GBps"}});
  EXPECT_EQ(rate_between(fabric, [](std::size_t rank) { return rank < 3; }), 300);
  EXPECT_EQ(fabric.node_count(), 1U);
  EXPECT_EQ(fabric_of("single_switch", {{"gpus", 6}, {"gpus_per_node", 2}}).node_count(), 3U);
}

TEST(RailOptimised, CarriesTheNicRateBetweenNodesDividedByOversubscription) {
  const auto first_group = [](std::size_t rank) { return rank < 16; };
  const json parameters{{"nodes", 4}, {"nodes_per_group", 2}, {"spines", 2}};
  EXPECT_EQ(rate_between(fabric_of("rail_optimised", parameters), first_group), 16 * 50);
  json thin = parameters;
  thin["oversubscription"] = 2;
  EXPECT_EQ(rate_between(fabric_of("rail_optimised", thin), first_group), 16 * 50 / 2);
  // Inside a group each rail has its leaf, so oversubscription costs nothing between equal rails.
  EXPECT_EQ(rate_between(fabric_of("rail_optimised", thin),
                         [](std::size_t rank) { return rank / 8 % 2 == 0; }),
            16 * 50);
}

TEST(RailOptimised, GivesEachGpuAsManyRailsAsNics) {
  const Fabric fabric = fabric_of(
      "rail_optimised", {{"nodes", 2}, {"gpus_per_node", 2}, {"nics_per_gpu", 2}, {"spines", 1}});
  EXPECT_TRUE(fabric.find_device("group0.leaf3").has_value());
  EXPECT_EQ(rate_between(fabric, [](std::size_t rank) { return rank < 2; }), 4 * 50);
}

TEST(FatTree, TakesFourSixAndEightHops) {
  const Fabric fabric = fabric_of("fat_tree", {{"gpus_per_node", 2}});
  EXPECT_EQ(hops(fabric, 0, 1), 2U) << "same server";
  EXPECT_EQ(hops(fabric, 0, 2), 4U) << "same edge switch";
  EXPECT_EQ(hops(fabric, 0, 4), 6U) << "same pod";
  EXPECT_EQ(hops(fabric, 0, 8), 8U) << "other pod";
}

TEST(FatTree, CarriesFullRateBetweenPodsUnlessOversubscribed) {
  const auto first_pod = [](std::size_t rank) { return rank < 32; };
  EXPECT_EQ(rate_between(fabric_of("fat_tree", {{"gpus_per_node", 8}}), first_pod), 32 * 50);
  EXPECT_EQ(
      rate_between(fabric_of("fat_tree", {{"oversubscription", 4}, {"core_oversubscription", 2}}),
                   first_pod),
      32 * 50 / 8);
}

TEST(FatTree, HasNoCoresAboveASinglePod) {
  const Fabric fabric = fabric_of("fat_tree", {{"pods", 1}});
  EXPECT_FALSE(fabric.find_device("core0.0").has_value());
  EXPECT_EQ(fabric.rank_count(), 32U);
}

TEST(Dragonfly, NeedsAtMostThreeLinksBetweenRouters) {
  const Fabric fabric =
      fabric_of("dragonfly", {{"groups", 5}, {"gpus_per_node", 1}, {"routers_per_group", 4}});
  for (std::size_t source = 0; source < 20; ++source) {
    for (std::size_t target = 0; target < 20; ++target) {
      if (source != target) {
        const std::size_t between_routers = hops(fabric, source, target) - 4;
        EXPECT_LE(between_routers, source / 4 == target / 4 ? 1U : 3U);
      }
    }
  }
}

TEST(Dragonfly, JoinsEveryTwoGroupsByTheGivenCables) {
  const Fabric fabric = fabric_of(
      "dragonfly",
      {{"groups", 4}, {"gpus_per_node", 8}, {"nodes_per_router", 4}, {"global_links", 2}});
  const std::size_t group = 4 * 4 * 8;
  // Three other groups, two cables of 100 GB/s to each.
  EXPECT_EQ(rate_between(fabric, [&](std::size_t rank) { return rank < group; }), 3 * 2 * 100);
}

TEST(Torus, CountsStepsWithWrapAround) {
  const Fabric fabric = fabric_of("torus", {{"x", 5}, {"y", 4}, {"z", 3}});
  const auto steps = [](std::size_t a, std::size_t b, std::size_t size) {
    const std::size_t away = (b + size - a) % size;
    return std::min(away, size - away);
  };
  for (std::size_t source = 0; source < 60; source += 7) {
    for (std::size_t target = 0; target < 60; ++target) {
      if (source != target) {
        EXPECT_EQ(hops(fabric, source, target),
                  2 + steps(source % 5, target % 5, 5) + steps(source / 5 % 4, target / 5 % 4, 4) +
                      steps(source / 20, target / 20, 3));
      }
    }
  }
}

TEST(Torus, CutsTwiceThroughEveryRing) {
  const Fabric fabric = fabric_of("torus", {{"x", 4}, {"y", 4}});
  EXPECT_EQ(rate_between(fabric, [](std::size_t rank) { return rank % 4 < 2; }), 2 * 4 * 100);
  const Fabric flat = fabric_of("torus", {{"x", 2}, {"y", 4}});
  EXPECT_EQ(rate_between(flat, [](std::size_t rank) { return rank % 2 < 1; }), 4 * 100)
      << "a ring of two has one cable";
}

TEST(NvlinkDomain, IsOneNodePerRack) {
  const Fabric rack = fabric_of("nvlink_domain", json::object());
  EXPECT_EQ(rack.rank_count(), 72U);
  EXPECT_EQ(rack.node_count(), 1U);
  EXPECT_EQ(hops(rack, 0, 71), 2U);
  EXPECT_EQ(rate_between(rack, [](std::size_t rank) { return rank < 36; }), 36 * 900);
  const Fabric two = fabric_of("nvlink_domain", {{"domains", 2}});
  EXPECT_EQ(two.node_count(), 2U);
  EXPECT_EQ(hops(two, 0, 72 + 4), 4U) << "equal place in another tray: same leaf";
  EXPECT_EQ(hops(two, 0, 72 + 1), 6U);
}

}  // namespace
}  // namespace switchyard
