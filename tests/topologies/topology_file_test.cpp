#include "topologies/topology_file.hpp"

#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files/text_reader.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;

json two_gpus() {
  return json::parse(R"({
    "devices": [ { "name": "gpu[0..1]", "kind": "gpu" }, { "name": "hub", "kind": "switch" } ],
    "links": [ { "from": "gpu[*]", "to": "hub", "bandwidth": "400Gbps", "latency": "1us" } ]
  })");
}

Fabric load(const json& document) {
  return fabric_from_json(document, {"x.json", ""});
}

std::vector<std::string> link_names(const Fabric& fabric) {
  std::vector<std::string> names;
  for (const Link& link : fabric.links()) {
    names.push_back(link.name);
  }
  return names;
}

TEST(TopologyFile, ExpandsPatternsOfDevicesAndLinks) {
  const Fabric fabric = load(two_gpus());
  EXPECT_EQ(fabric.rank_count(), 2U);
  EXPECT_EQ(link_names(fabric),
            (std::vector<std::string>{"gpu0->hub", "hub->gpu0", "gpu1->hub", "hub->gpu1"}));
  EXPECT_EQ(fabric.links()[0].bandwidth.value, 50e9);
  EXPECT_EQ(fabric.links()[3].latency.count(), 1e-6);
}

TEST(TopologyFile, LetsALinkReferToTheBracketsOfItsOtherEnd) {
  const Fabric fabric = load(json::parse(R"({
    "devices": [
      { "name": "node[0..1].gpu[0..2]", "kind": "gpu", "node": "$1" },
      { "name": "node[0..1].nic[0..2]", "kind": "nic", "node": "$1" },
      { "name": "rail[0..2]", "kind": "switch" },
      { "name": "spine", "kind": "switch" } ],
    "links": [
      { "from": "node[*].gpu[*]", "to": "node[$1].nic[$2]", "bandwidth": "64GBps" },
      { "from": "node[*].gpu[0]", "to": "node[$1].gpu[1,2]", "bandwidth": "450GBps" },
      { "from": "node[*].gpu1", "to": "node[$1].gpu2", "bandwidth": "450GBps" },
      { "from": "node[*].nic[*]", "to": "rail[$2]", "bandwidth": "400Gbps" },
      { "from": "rail[*]", "to": "spine", "bandwidth": "400Gbps" } ]
  })"));
  EXPECT_EQ(fabric.node_count(), 2U);
  EXPECT_EQ(fabric.links().size(), 2U * (6 + 4 + 2 + 6 + 3));
  EXPECT_TRUE(fabric.find_link("rail2->node1.nic2").has_value());
  EXPECT_FALSE(fabric.find_link("rail2->node1.nic1").has_value());
}

TEST(TopologyFile, MakesAMeshOfAPatternJoinedToItself) {
  json document = two_gpus();
  document["devices"][0]["name"] = "gpu[0..3]";
  document["devices"].erase(1);
  document["links"][0]["to"] = "gpu[*]";
  EXPECT_EQ(load(document).links().size(), 4U * 3U);
}

TEST(TopologyFile, SharesOneRateBetweenBothDirectionsOfHalfDuplex) {
  json document = two_gpus();
  document["links"][0]["duplex"] = "half";
  const Fabric fabric = load(document);
  const auto shared = fabric.find_link("gpu0--hub.on->gpu0--hub.off");
  ASSERT_TRUE(shared.has_value());
  const auto crosses = [&](std::size_t source, std::size_t target) {
    const auto hops = fabric.routes(2).hops(source, target);
    return std::any_of(
        hops.begin(), hops.end(), [&](const Hop& hop) { return hop.link == *shared; });
  };
  EXPECT_TRUE(crosses(0, 1));
  EXPECT_TRUE(crosses(1, 0));
  // Stored as float: 24 bits.
  EXPECT_NEAR(fabric.routes(2).latency(0, 1).count(), 2e-6, 1e-12);
}

TEST(TopologyFile, AddsParallelCablesUnderNumberedNames) {
  json document = two_gpus();
  document["links"].push_back(document["links"][0]);
  const Fabric fabric = load(document);
  EXPECT_TRUE(fabric.find_link("gpu0->hub#2").has_value());
}

TEST(TopologyFile, OverridesSingleLinksAndPatterns) {
  json document{{"generator", "rail_optimised"}, {"parameters", {{"nodes", 2}, {"spines", 2}}}};
  document["overrides"] = json::parse(R"([
    { "link": "node1.nic3->group0.leaf3", "bandwidth": "200Gbps", "latency": "9us" },
    { "link": "node[*].gpu[*]<->node[*].nvswitch", "efficiency": 0.8 },
    { "link": "group0.leaf0<->spine1", "remove": true } ])");
  const Fabric fabric = load(document);
  const auto link = [&](const std::string& name) {
    return fabric.links()[fabric.find_link(name)->index()];
  };
  EXPECT_EQ(link("node1.nic3->group0.leaf3").bandwidth.value, 25e9);
  EXPECT_EQ(link("group0.leaf3->node1.nic3").bandwidth.value, 50e9);
  EXPECT_EQ(link("node1.nvswitch->node1.gpu7").efficiency, 0.8);
  EXPECT_DOUBLE_EQ(link("node0.gpu0->node0.nvswitch").effective_bandwidth().value, 360e9);
  EXPECT_FALSE(fabric.find_link("group0.leaf0->spine1").has_value());
  EXPECT_FALSE(fabric.find_link("spine1->group0.leaf0").has_value());
  for (const Hop& hop : fabric.routes(16).hops(0, 9)) {
    EXPECT_EQ(fabric.links()[hop.link.index()].name.find("spine1"), std::string::npos);
  }
}

TEST(TopologyFile, TakesADeadGpuOutAndRenumbersTheRanks) {
  json document{{"preset", "dgx_h100_8"}};
  document["overrides"] = json::parse(R"([{ "device": "gpu3", "remove": true }])");
  const Fabric fabric = load(document);
  EXPECT_EQ(fabric.rank_count(), 7U);
  EXPECT_EQ(fabric.devices()[fabric.gpu_of(RankId{3}).index()].name, "gpu4");
  EXPECT_EQ(fabric.routes(7).hops(2, 3).size(), 2U);
}

TEST(TopologyFile, ChangesAPresetsParametersAndAddsToIt) {
  const Fabric fabric = load(json::parse(R"({
    "preset": "h800_rail_64",
    "parameters": { "nodes": 2, "nic": "200Gbps" },
    "devices": [ { "name": "node[0..1].memory", "kind": "host_memory", "node": "$1" } ],
    "links": [ { "from": "node[*].gpu[*]", "to": "node[$1].memory", "bandwidth": "64GBps" } ],
    "overrides": [ { "link": "node0.gpu0->node0.nvswitch", "efficiency": 0.5 } ]
  })"));
  EXPECT_EQ(fabric.rank_count(), 16U);
  const auto link = [&](const std::string& name) {
    return fabric.links()[fabric.find_link(name)->index()];
  };
  EXPECT_EQ(link("node1.nic0->group0.leaf0").bandwidth.value, 25e9);
  EXPECT_EQ(link("node0.gpu0->node0.nvswitch").efficiency, 0.5) << "after the preset's own";
  EXPECT_EQ(link("node0.gpu1->node0.nvswitch").efficiency, 0.8);
  EXPECT_EQ(fabric.routes(16).hops(0, 1).size(), 2U);
  EXPECT_EQ(link("node0.gpu0->node0.memory").bandwidth.value, 64e9);
}

TEST(TopologyFile, LoadsFilesByPath) {
  const testing::TemporaryFolder folder;
  const auto path = folder.write("mine.json", R"({ "preset": "dgx_a100_8", "name": "mine" })");
  EXPECT_EQ(load_topology(path.string()).name(), "mine");
  EXPECT_FALSE(load_topology_document(path.string()).contains("preset"));
  const auto broken = folder.write("broken.json", R"({ "preset": })");
  expect_error<InvalidInput>([&] { (void)load_topology(broken.string()); }, "line 1");
  const auto huge = folder.write("huge.json", R"({ "path_seed": 1e3080 })");
  expect_error<InvalidInput>([&] { (void)load_topology(huge.string()); }, "number overflow");
  expect_error<InvalidInput>([] { (void)load_topology("no/such/file.json"); }, "no/such/file.json");
}

struct BadDocument {
  const char* change;  // JSON pointers into two_gpus(), and what is put there
  const char* words;
};

void PrintTo(const BadDocument& bad, std::ostream* stream) {
  *stream << bad.change;
}

class BadTopologyFile : public ::testing::TestWithParam<BadDocument> {};

TEST_P(BadTopologyFile, SaysWhatIsWrongAndWhere) {
  json document = two_gpus();
  const json changes = json::parse(GetParam().change);
  for (const auto& change : changes.items()) {
    const json::json_pointer place(change.key());
    document[place] = change.value();
  }
  expect_error<InvalidInput>([&] { (void)load(document); }, GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(
    TopologyFile,
    BadTopologyFile,
    ::testing::Values(
        BadDocument{R"({"/nmae": "x"})", "no such key \"nmae\" (did you mean \"name\"?"},
        BadDocument{R"({"/links/0/bandwith": "1Gbps"})", "did you mean \"bandwidth\""},
        BadDocument{R"({"/links/0/bandwidth": 400})",
                    "x.json#/links/0/bandwidth: 400 has no unit\ntry \"400Gbps\""},
        BadDocument{R"({"/links/0/bandwidth": "400"})", "#/links/0/bandwidth: \"400\" has no unit"},
        BadDocument{R"({"/links/0/bandwidth": "-4Gbps"})", "#/links/0/bandwidth"},
        BadDocument{R"({"/links/0/bandwidth": "nanGbps"})", "#/links/0/bandwidth"},
        BadDocument{R"({"/links/0/bandwidth": "1e30Gbps"})", "not a possible bandwidth"},
        BadDocument{R"({"/links/0/bandwidth": "0Gbps"})", "a link of no bandwidth"},
        BadDocument{R"({"/links/0/latency": "-1us"})", "#/links/0/latency"},
        BadDocument{R"({"/links/0/latency": 1})", "1 has no unit"},
        BadDocument{R"({"/links/0/efficiency": 1.5})", "#/links/0/efficiency"},
        BadDocument{R"({"/links/0/duplex": "both"})", "#/links/0/duplex"},
        BadDocument{R"({"/links/0/to": "hbu"})",
                    "no device is called \"hbu\"\ndid you mean \"hub\""},
        BadDocument{R"({"/links/0/from": "gpu[0..2]"})", "no device is called \"gpu2\""},
        BadDocument{R"({"/links/0/from": "gp[*]"})", "no device matches \"gp[*]\""},
        BadDocument{R"({"/links/0/from": "gpu[0..1"})", "do not match"},
        BadDocument{R"({"/links/0/from": "gpu[a]"})", "is not a number"},
        BadDocument{R"({"/links/0/from": "gpu[3..1]"})", "no possible range"},
        BadDocument{R"({"/links/0/to": "hub[$2]"})", "\"$2\" in \"hub[$2]\" refers to nothing"},
        BadDocument{R"({"/links/0/from": "hub"})", "joined to itself"},
        BadDocument{R"({"/links/0/name": "x"})", "would name several links"},
        BadDocument{R"({"/devices/0/name": "gpu[0..99999999]"})", "no possible range"},
        BadDocument{R"({"/devices/0/name": "a[0..99999]b[0..99999]", "/devices/0/node": 0})",
                    "stands for over 1000000 names"},
        BadDocument{R"({"/devices/0/name": "gpu[*]"})", "cannot hold *"},
        BadDocument{R"({"/devices/0/name": "n[0..1].gpu[0..1]"})",
                    "which nodes are \"n[0..1].gpu[0..1]\" in?"},
        BadDocument{R"({"/devices/1/name": "gpu1"})",
                    "#/devices/1/name: two devices are called \"gpu1\""},
        BadDocument{R"({"/devices/0/kind": "cpu"})", "#/devices/0/kind"},
        BadDocument{R"({"/devices/0/kind": "nic"})", "the fabric has no GPU"},
        BadDocument{R"({"/devices/0/node": -1})", "-1 is no possible node"},
        BadDocument{R"({"/devices/0/node": 5})", "no possible node"},
        BadDocument{R"({"/devices/0/node": "one"})", "is not a number"},
        BadDocument{R"({"/links/0/from": "gpu0"})",
                    "from gpu0 traffic reaches 1 GPUs (gpu0) but not the other 1 (gpu1)"},
        BadDocument{R"({"/links": []})", "the fabric is disconnected"},
        BadDocument{R"({"/path_policy": "random"})", "#/path_policy"},
        BadDocument{R"({"/preset": "dgx_h10_8"})", "did you mean \"dgx_h100_8\""},
        BadDocument{R"({"/preset": 3})", "#/preset"},
        BadDocument{R"({"/parameters": {}})", "without a \"generator\""},
        BadDocument{R"({"/generator": "fat_treee"})", "did you mean \"fat_tree\""},
        BadDocument{R"({"/generator": "torus", "/parameters": {"xx": 3}})", "#/parameters/xx"},
        BadDocument{R"({"/generator": "torus", "/parameters": {"x": 0}})", "out of range"},
        BadDocument{R"({"/generator": "torus", "/parameters": {"link": 100}})", "has no unit"},
        BadDocument{
            R"({"/overrides": [{"link": "gpu0->hbu", "efficiency": 0.5}]})",
            "#/overrides/0/link: no link is called \"gpu0->hbu\"\ndid you mean \"gpu0->hub\""},
        BadDocument{R"({"/overrides": [{"efficiency": 0.5}]})",
                    "either a \"link\" or a \"device\""},
        BadDocument{R"({"/overrides": [{"device": "gpu0", "bandwidth": "1Gbps"}]})",
                    "a device can only be removed"},
        BadDocument{R"({"/overrides": [{"link": "gpu0->hub", "bandwidth": 3}]})", "has no unit"},
        BadDocument{R"({"/overrides": [{"device": "hub", "remove": true}]})", "disconnected"}));

TEST(TopologyFile, LoadsEveryDocumentOfTheDocumentation) {
  std::size_t examples = 0;
  for (const char* page : {"topologies.md", "add_a_topology.md"}) {
    const std::string text = read_text_file(testing::source_folder() / "docs" / page);
    const std::string open = "```json\n";
    for (std::size_t at = text.find(open); at != std::string::npos; at = text.find(open, at + 1)) {
      const std::size_t begin = at + open.size();
      const std::string example = text.substr(begin, text.find("```", begin) - begin);
      EXPECT_NO_THROW((void)load(json::parse(example))) << example;
      ++examples;
    }
  }
  EXPECT_EQ(examples, 3U);
}

TEST(TopologyFile, RefusesADocumentThatIsNoTopology) {
  expect_error<InvalidInput>([] { (void)load(json::object()); }, "needs \"devices\"");
  EXPECT_THROW((void)load(json::array()), InvalidInput);
  EXPECT_THROW((void)load(json(3)), InvalidInput);
}

}  // namespace
}  // namespace switchyard
