// Routes stored by halves, and routes that a document lays down.
#include "topologies/route_table.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/networks/fabrics.hpp"
#include "topologies/topology_file.hpp"
#include "topologies/topology_format.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;

std::vector<int> links_of(const RouteTable& table, std::size_t source, std::size_t destination) {
  std::vector<int> links;
  for (const Hop& hop : table.hops(source, destination)) {
    links.push_back(hop.link.value);
  }
  return links;
}

std::vector<Hop> path(std::initializer_list<std::size_t> links) {
  std::vector<Hop> hops;
  for (const std::size_t link : links) {
    hops.push_back({.link = LinkId{link}});
  }
  return hops;
}

TEST(RouteTable, StoresEachHalfOnce) {
  RouteTableBuilder builder(4, {1, 2, 4, 8});
  builder.set(0, 1, path({0, 1}));
  builder.set(0, 2, path({0, 2}));
  builder.set(0, 3, path({0, 3, 1}));
  builder.set(1, 0, path({0}));
  const RouteTable table = std::move(builder).take();
  EXPECT_EQ(table.near_half(0, 1), table.near_half(0, 2));
  EXPECT_EQ(table.near_half(0, 1), table.near_half(1, 0));
  EXPECT_EQ(table.far_half(0, 1), table.far_half(0, 3));
  EXPECT_NE(table.near_half(0, 1), table.near_half(0, 3));
  EXPECT_EQ(links_of(table, 0, 3), (std::vector<int>{0, 3, 1}));
  EXPECT_EQ(links_of(table, 1, 0), std::vector<int>{0});
  EXPECT_TRUE(table.hops(2, 2).empty());
  EXPECT_EQ(table.latency(0, 3).count(), 11);
  EXPECT_EQ(table.latency(1, 0).count(), 1);
  EXPECT_FALSE(table.is_spread());
}

TEST(RouteTable, TakesTheLatencyOfTheSlowestOfSeveralPaths) {
  RouteTableBuilder builder(2, {1, 2});
  const std::vector<Hop> both{{LinkId{0}, 0.5F}, {LinkId{1}, 0.5F}};
  builder.set_spread(0, 1, both, 2);
  builder.set_spread(1, 0, both, 1);  // equal hops, another latency: another half
  const RouteTable table = std::move(builder).take();
  EXPECT_TRUE(table.is_spread());
  EXPECT_EQ(table.latency(0, 1).count(), 2);
  EXPECT_EQ(table.latency(1, 0).count(), 1);
  EXPECT_EQ(table.hops(0, 1)[1].share, 0.5F);
}

TEST(RouteTable, GrowsPastItsFirstSlots) {
  constexpr std::size_t kRanks = 64;
  RouteTableBuilder builder(kRanks, std::vector<double>(2 * kRanks * kRanks, 1.0));
  for (std::size_t pair = 0; pair < kRanks * kRanks; ++pair) {
    builder.set(pair / kRanks, pair % kRanks, path({2 * pair, 2 * pair + 1}));
  }
  const RouteTable table = std::move(builder).take();
  for (std::size_t pair = 0; pair < kRanks * kRanks; ++pair) {
    const int first = static_cast<int>(2 * pair);
    ASSERT_EQ(links_of(table, pair / kRanks, pair % kRanks), (std::vector<int>{first, first + 1}));
  }
}

// Two GPUs, a short way through one switch and a long one through two.
json detour() {
  return json::parse(R"({
    "name": "detour",
    "devices": [{"name": "gpu[0..1]", "kind": "gpu"}, {"name": "s[0..2]", "kind": "switch"}],
    "links": [
      {"from": "gpu[*]", "to": "s0", "bandwidth": "1GBps"},
      {"from": "gpu0", "to": "s1", "bandwidth": "1GBps", "latency": "1us"},
      {"from": "s1", "to": "s2", "bandwidth": "1GBps", "latency": "1us"},
      {"from": "s2", "to": "gpu1", "bandwidth": "1GBps", "latency": "1us"}],
    "routes": [{"from": "gpu0", "to": "gpu1", "links": ["gpu0->s1", "s1->s2", "s2->gpu1"]}]
  })");
}

TEST(FixedRoutes, ReplaceTheShortestPathOfTheirPairOnly) {
  const Fabric fabric = fabric_from_json(detour(), {});
  const RouteTable& routes = fabric.routes(2);
  EXPECT_EQ(routes.hops(0, 1).size(), 3U);
  EXPECT_NEAR(routes.latency(0, 1).count(), 3e-6, 1e-18);
  EXPECT_EQ(routes.hops(1, 0).size(), 2U);
}

TEST(FixedRoutes, SurviveTheirDocument) {
  const Fabric fabric = fabric_from_json(detour(), {});
  const Fabric again = fabric_from_json(topology_to_json(fabric), {});
  ASSERT_EQ(again.fixed_routes().size(), 1U);
  EXPECT_EQ(again.fixed_routes()[0], fabric.fixed_routes()[0]);
  Parameters none = Parameters::describing();
  const auto graphml = Registry<TopologyFormat>::instance().create("graphml", "format", none);
  expect_error<MissingCapability>([&] { (void)graphml->write(fabric); }, "laid down link by link");
}

TEST(FixedRoutes, GoWithTheirLinksAndDevices) {
  json document = detour();
  document["overrides"] = json::parse(R"([{"link": "s1->s2", "remove": true}])");
  EXPECT_TRUE(fabric_from_json(document, {}).fixed_routes().empty());
  document["overrides"] = json::parse(R"([{"link": "s2->s1", "remove": true}])");
  const Fabric renumbered = fabric_from_json(document, {});
  EXPECT_EQ(renumbered.routes(2).hops(0, 1).size(), 3U);
  document["devices"].insert(document["devices"].begin(), json{{"name", "spare"}, {"kind", "gpu"}});
  document["links"].push_back(json{{"from", "spare"}, {"to", "s0"}, {"bandwidth", "1GBps"}});
  document["overrides"] = json::parse(R"([{"device": "spare", "remove": true}])");
  const Fabric fewer = fabric_from_json(document, {});
  ASSERT_EQ(fewer.rank_count(), 2U);
  EXPECT_EQ(fewer.routes(2).hops(0, 1).size(), 3U);
}

TEST(FixedRoutes, SayWhereTheyBreak) {
  const auto refused = [](const json& route, const std::string& words) {
    json document = detour();
    document["routes"] = json::array({route});
    expect_error<InvalidInput>([&] { (void)fabric_from_json(document, {"t.json", ""}); }, words);
  };
  refused({{"from", "gpu0"}, {"to", "gpu1"}, {"links", {"gpu0->s1", "s2->gpu1"}}},
          "the route from gpu0 to gpu1 breaks off at s1");
  refused({{"from", "gpu0"}, {"to", "gpu1"}, {"links", {"gpu0->s1"}}}, "does not arrive");
  refused({{"from", "gpu0"},
           {"to", "gpu1"},
           {"links", {"gpu0->s1", "s1->s2", "s2->s1", "s1->s2", "s2->gpu1"}}},
          "crosses a link twice");
  refused({{"from", "gpu0"}, {"to", "gpu0"}, {"links", {"gpu0->s1", "s1->gpu0"}}},
          "two different GPUs");
  refused({{"from", "gpu0"}, {"to", "gpu1"}, {"links", {"gpu0->s9"}}},
          "no link is called \"gpu0->s9\"");
  refused({{"from", "gpu7"}, {"to", "gpu1"}, {"links", {"gpu0->s1"}}}, "no GPU is called \"gpu7\"");
}

}  // namespace
}  // namespace switchyard
