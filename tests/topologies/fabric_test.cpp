#include "topologies/fabric.hpp"

#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/expect_error.hpp"
#include "topologies/building_blocks/fabric_builder.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;

std::vector<std::string> hop_names(const Fabric& fabric, std::size_t source, std::size_t target) {
  std::vector<std::string> names;
  for (const Hop& hop : fabric.routes(fabric.rank_count()).hops(source, target)) {
    names.push_back(fabric.links()[hop.link.index()].name);
  }
  return names;
}

Fabric generated(const std::string& generator, const json& parameters, const json& more = {}) {
  json document{{"generator", generator}, {"parameters", parameters}};
  document.update(more.is_null() ? json::object() : more);
  return fabric_from_json(document, {"test", ""});
}

Cable cable() {
  return {.bandwidth = BytesPerSecond{1e9}, .latency = Seconds{1e-6}};
}

TEST(Fabric, RoutesThroughTheOneSwitch) {
  const Fabric fabric = generated("single_switch", {{"gpus", 4}, {"latency", "250ns"}});
  EXPECT_EQ(hop_names(fabric, 1, 3), (std::vector<std::string>{"gpu1->switch", "switch->gpu3"}));
  EXPECT_TRUE(fabric.routes(4).hops(2, 2).empty());
  // Stored as float: 24 bits.
  EXPECT_NEAR(fabric.routes(4).latency(0, 1).count(), 500e-9, 1e-13);
}

TEST(Fabric, KeepsSameRailTrafficInItsLeaf) {
  const Fabric fabric = generated("rail_optimised", {{"nodes", 4}, {"nodes_per_group", 2}});
  EXPECT_EQ(hop_names(fabric, 3, 11),
            (std::vector<std::string>{"node0.gpu3->node0.nic3",
                                      "node0.nic3->group0.leaf3",
                                      "group0.leaf3->node1.nic3",
                                      "node1.nic3->node1.gpu3"}));
}

TEST(Fabric, SendsTrafficBetweenRailsOverTheSpine) {
  const Fabric fabric =
      generated("rail_optimised", {{"nodes", 2}, {"nodes_per_group", 2}, {"spines", 1}});
  EXPECT_EQ(hop_names(fabric, 0, 9),
            (std::vector<std::string>{"node0.gpu0->node0.nic0",
                                      "node0.nic0->group0.leaf0",
                                      "group0.leaf0->spine0",
                                      "spine0->group0.leaf1",
                                      "group0.leaf1->node1.nic1",
                                      "node1.nic1->node1.gpu1"}));
}

TEST(Fabric, KeepsTrafficOfANodeOnItsNvswitch) {
  const Fabric fabric = generated("rail_optimised", {{"nodes", 2}});
  EXPECT_EQ(hop_names(fabric, 8, 15),
            (std::vector<std::string>{"node1.gpu0->node1.nvswitch", "node1.nvswitch->node1.gpu7"}));
}

TEST(Fabric, NumbersRanksAndNodesInOrderOfAppearance) {
  const Fabric fabric = generated("rail_optimised", {{"nodes", 3}, {"gpus_per_node", 4}});
  EXPECT_EQ(fabric.rank_count(), 12U);
  EXPECT_EQ(fabric.node_count(), 3U);
  EXPECT_EQ(fabric.node_of(RankId{7}), NodeId{1});
  EXPECT_EQ(fabric.ranks_of(NodeId{2}).front(), RankId{8});
  EXPECT_EQ(fabric.devices()[fabric.gpu_of(RankId{9}).index()].name, "node2.gpu1");
}

TEST(Fabric, NeverPassesThroughAThirdGpu) {
  FabricBuilder builder;
  for (const char* name : {"a", "b", "c"}) {
    builder.add_device(name, DeviceKind::Gpu, NodeId{0});
  }
  builder.connect(DeviceId{0}, DeviceId{1}, cable());
  builder.connect(DeviceId{1}, DeviceId{2}, cable());
  expect_error<InvalidInput>([&] { const Fabric fabric(builder.parts()); },
                             "from a traffic reaches 2 GPUs (a, b) but not the other 1 (c)");
}

TEST(Fabric, NeverJoinsTwoGpusThroughTheirNic) {
  FabricBuilder builder;
  const DeviceId a = builder.add_device("a", DeviceKind::Gpu, NodeId{0});
  const DeviceId b = builder.add_device("b", DeviceKind::Gpu, NodeId{0});
  const DeviceId nic = builder.add_device("nic", DeviceKind::Nic, NodeId{0});
  builder.connect(a, nic, cable());
  builder.connect(b, nic, cable());
  EXPECT_THROW(Fabric(builder.parts()), InvalidInput);
  const DeviceId leaf = builder.add_device("leaf", DeviceKind::Switch);
  builder.connect(nic, leaf, cable());
  EXPECT_EQ(hop_names(Fabric(builder.parts()), 0, 1),
            (std::vector<std::string>{"a->nic", "nic->leaf", "leaf->nic", "nic->b"}));
  builder.connect(a, b, cable());
  EXPECT_EQ(hop_names(Fabric(builder.parts()), 0, 1), std::vector<std::string>{"a->b"});
}

TEST(Fabric, TakesTheCheaperOfTwoEquallyLongWays) {
  FabricBuilder builder;
  for (const char* name : {"a", "b"}) {
    builder.add_device(name, DeviceKind::Gpu, NodeId{0});
  }
  const DeviceId pcie = builder.add_device("pcie", DeviceKind::Switch, NodeId{0});
  const DeviceId nvswitch = builder.add_device("nvswitch", DeviceKind::Switch, NodeId{0});
  for (const DeviceId gpu : {DeviceId{0}, DeviceId{1}}) {
    Cable slow = cable();
    slow.cost = 2;
    builder.connect(gpu, pcie, slow);
    builder.connect(gpu, nvswitch, cable());
  }
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    builder.parts().path_seed = seed;
    EXPECT_EQ(hop_names(Fabric(builder.parts()), 0, 1),
              (std::vector<std::string>{"a->nvswitch", "nvswitch->b"}));
  }
}

TEST(Fabric, SpreadsEachPairEvenlyOverAllSpines) {
  const Fabric fabric =
      generated("rail_optimised", {{"nodes", 2}, {"spines", 4}}, {{"path_policy", "spread"}});
  const RouteTable& routes = fabric.routes(16);
  EXPECT_TRUE(routes.is_spread());
  double up = 0;
  double down = 0;
  for (const Hop& hop : routes.hops(0, 9)) {
    const Link& link = fabric.links()[hop.link.index()];
    if (link.name.starts_with("group0.leaf0->spine")) {
      EXPECT_EQ(hop.share, 0.25F);
      up += static_cast<double>(hop.share);
    } else if (link.name.starts_with("spine")) {
      down += static_cast<double>(hop.share);
    } else {
      EXPECT_EQ(hop.share, 1.0F);
    }
  }
  EXPECT_EQ(up, 1.0);
  EXPECT_EQ(down, 1.0);
  EXPECT_EQ(routes.hops(0, 9).size(), 12U);
}

TEST(Fabric, HashesPairsEvenlyAndReproducibly) {
  const json parameters{{"nodes", 16}, {"spines", 4}};
  const Fabric fabric = generated("rail_optimised", parameters);
  const Fabric again = generated("rail_optimised", parameters);
  const Fabric other = generated("rail_optimised", parameters, {{"path_seed", 1}});
  std::map<std::string, int> pairs_by_spine;
  int differing = 0;
  int crossing = 0;
  for (std::size_t source = 0; source < 128; ++source) {
    for (std::size_t target = 0; target < 128; ++target) {
      const auto hops = fabric.routes(128).hops(source, target);
      if (hops.size() != 6) {
        continue;
      }
      ++crossing;
      ++pairs_by_spine[fabric.devices()[fabric.links()[hops[2].link.index()].to.index()].name];
      EXPECT_EQ(hops[2].link, again.routes(128).hops(source, target)[2].link);
      differing += hops[2].link == other.routes(128).hops(source, target)[2].link ? 0 : 1;
    }
  }
  ASSERT_EQ(crossing, 128 * 15 * 7);
  for (const auto& [spine, pairs] : pairs_by_spine) {
    // 13,440 draws of 1/4: the standard deviation is 50, so 5 % (168) is over three of them.
    EXPECT_NEAR(pairs, crossing / 4.0, 0.05 * crossing / 4.0) << spine;
  }
  EXPECT_NEAR(differing, crossing * 0.75, 0.02 * crossing) << "another seed picks anew";
}

TEST(Fabric, PinsAllTrafficToADestinationOnOneSpine) {
  const Fabric fabric =
      generated("rail_optimised", {{"nodes", 8}, {"spines", 4}}, {{"path_policy", "pinned"}});
  std::set<std::string> names;
  for (std::size_t source = 8; source < 64; source += 8) {
    names.insert(hop_names(fabric, source, 1)[2]);
  }
  EXPECT_EQ(names.size(), 1U);
}

TEST(Fabric, RoutesOnlyTheFirstRanks) {
  const Fabric fabric = generated("rail_optimised", {{"nodes", 8}});
  EXPECT_EQ(fabric.routes(16).rank_count(), 16U);
  EXPECT_EQ(&fabric.routes(16), &fabric.routes(16)) << "cached";
  expect_error<InvalidInput>([&] { (void)fabric.routes(65); }, "it has 64 GPUs");
}

TEST(Fabric, RefusesWhatNoMachineIs) {
  const auto refuses = [](const auto& spoil, const std::string& words) {
    FabricBuilder builder;
    builder.add_device("a", DeviceKind::Gpu, NodeId{0});
    builder.add_device("b", DeviceKind::Gpu, NodeId{0});
    builder.connect(DeviceId{0}, DeviceId{1}, cable());
    spoil(builder.parts());
    expect_error<InvalidInput>([&] { const Fabric fabric(builder.parts()); }, words);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  refuses([](Fabric::Parts& parts) { parts.devices[1].name = "a"; },
          "two devices are called \"a\"");
  refuses([](Fabric::Parts& parts) { parts.devices[1].name = "b b"; }, "cannot be a device's name");
  refuses([](Fabric::Parts& parts) { parts.links[1].name = "a->b"; }, "two links are called");
  refuses([](Fabric::Parts& parts) { parts.links[1].to = DeviceId{7}; }, "dangling end");
  refuses([](Fabric::Parts& parts) { parts.links[1].to = DeviceId{1}; }, "to itself");
  refuses([=](Fabric::Parts& parts) { parts.links[1].bandwidth.value = nan; }, "no bandwidth");
  refuses([](Fabric::Parts& parts) { parts.links[1].bandwidth.value = 0; }, "no bandwidth");
  refuses([](Fabric::Parts& parts) { parts.links[1].latency = Seconds{-1}; }, "latency");
  refuses([=](Fabric::Parts& parts) { parts.links[1].efficiency = nan; }, "efficiency");
  refuses([](Fabric::Parts& parts) { parts.links[1].cost = 0; }, "cost");
  refuses([](Fabric::Parts& parts) { parts.links.pop_back(); }, "the fabric is disconnected");
  refuses(
      [](Fabric::Parts& parts) {
        parts.devices[1].node = NodeId{1};
        parts.devices[0].node = NodeId{};
      },
      "no possible node");
  refuses([](Fabric::Parts& parts) { parts.devices[1].node = NodeId{2}; }, "no possible node");
  refuses([](Fabric::Parts& parts) { parts.devices[0].node = parts.devices[1].node = NodeId{1}; },
          "node 0 has no GPU");
  expect_error<InvalidInput>([] { const Fabric fabric(Fabric::Parts{}); }, "has no GPU");
}

TEST(Fabric, FindsDevicesAndLinksByName) {
  const Fabric fabric = generated("single_switch", {{"gpus", 2}});
  EXPECT_EQ(fabric.find_device("gpu1"), DeviceId{1});
  EXPECT_EQ(fabric.links()[fabric.find_link("switch->gpu1")->index()].to, DeviceId{1});
  EXPECT_FALSE(fabric.find_link("gpu0->gpu1").has_value());
}

TEST(Fabric, LoadsPresetsByNameAndSuggestsTheNearest) {
  EXPECT_EQ(load_topology("dgx_h100_8").rank_count(), 8U);
  EXPECT_EQ(load_topology("hgx_h100_rail_64").node_count(), 8U);
  expect_error<InvalidInput>([] { (void)load_topology("dgx_h10_8"); }, "dgx_h100_8");
}

}  // namespace
}  // namespace switchyard
