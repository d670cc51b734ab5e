// SimGrid platforms, as SimGrid reads them: routes, shared media, and what a fabric cannot keep.
#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/networks/fabrics.hpp"
#include "tests/support/networks/run_network.hpp"
#include "tests/support/real_data.hpp"
#include "tests/support/temporary_folder.hpp"
#include "topologies/topology_file.hpp"
#include "topologies/topology_format.hpp"

namespace switchyard {
namespace {

using testing::expect_error;
using testing::run_network;
using testing::schedule_of;

std::string platform(const std::string& body) {
  return "<?xml version='1.0'?>\n"
         "<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
         "<platform version=\"4.1\">\n" +
         body + "</platform>\n";
}

Fabric read(const std::string& body) {
  const testing::TemporaryFolder folder;
  return load_topology(folder.write("p.xml", platform(body)).string());
}

std::vector<std::string> platform_route_of(const Fabric& fabric,
                                           std::size_t source,
                                           std::size_t target) {
  std::vector<std::string> names;
  for (const Hop& hop : fabric.routes(fabric.rank_count()).hops(source, target)) {
    names.push_back(fabric.links()[hop.link.index()].name);
  }
  return names;
}

// Three hosts; b's link is one cable for both directions, c hangs on a split-duplex one.
constexpr const char* kThreeHosts = R"(<zone id="z" routing="Full">
  <host id="h10" speed="1Gf"/><host id="h2" speed="1Gf"/><host id="h1" speed="1Gf"/>
  <link id="a" bandwidth="2GBps" latency="1us"/>
  <link id="b" bandwidth="1GBps" latency="2us"/>
  <link id="c" bandwidth="4GBps" latency="3us" sharing_policy="SPLITDUPLEX"/>
  <route src="h1" dst="h2"><link_ctn id="a"/><link_ctn id="b"/></route>
  <route src="h1" dst="h10"><link_ctn id="a"/><link_ctn id="c" direction="UP"/></route>
  <route src="h2" dst="h10"><link_ctn id="b"/><link_ctn id="c" direction="UP"/></route>
</zone>
)";

TEST(SimgridPlatform, KeepsLinksAndRoutes) {
  const Fabric fabric = read(kThreeHosts);
  ASSERT_EQ(fabric.rank_count(), 3U);
  EXPECT_EQ(fabric.devices()[fabric.gpu_of(RankId{2}).index()].name, "h10");  // after h2
  EXPECT_EQ(fabric.node_count(), 3U);
  const auto rate = [&](const std::string& link) {
    return fabric.links()[fabric.find_link(link)->index()].bandwidth.value;
  };
  EXPECT_EQ(rate("a"), 2e9);
  EXPECT_EQ(rate("c_UP"), 4e9);
  EXPECT_NEAR(fabric.routes(3).latency(0, 2).count(), 4e-6, 1e-15);
  EXPECT_NEAR(fabric.routes(3).latency(2, 1).count(), 5e-6, 1e-15);
  // Whatever connectors lie between them, the platform's links come in the platform's order.
  std::vector<std::string> links;
  for (const std::string& name : platform_route_of(fabric, 1, 2)) {
    if (name == "a" || name == "b" || name.starts_with("c_")) {
      links.push_back(name);
    }
  }
  EXPECT_EQ(links, (std::vector<std::string>{"b", "c_UP"}));
}

TEST(SimgridPlatform, SharesALinkBetweenItsDirections) {
  const Fabric fabric = read(kThreeHosts);
  // 1000 bytes each way over b (1 GB/s for both together), 3 us of latency.
  const Timeline both = run_network("fluid", fabric, schedule_of(3, {{0, 1, 1000}, {1, 0, 1000}}));
  EXPECT_NEAR(both.makespan_s, 2e-6 + 3e-6, 1e-14);
  // c is split: a and b limit.
  const Timeline split = run_network("fluid", fabric, schedule_of(3, {{0, 2, 1000}, {2, 1, 1000}}));
  EXPECT_NEAR(split.finish_s[0], 0.5e-6 + 4e-6, 1e-14);
  EXPECT_NEAR(split.finish_s[1], 1e-6 + 5e-6, 1e-14);
}

TEST(SimgridPlatform, ReadsWhatWeWrite) {
  const Fabric fabric = testing::nodes({.link_latency = Seconds{1e-6}, .is_uneven = true});
  const testing::TemporaryFolder folder;
  Parameters none = Parameters::describing();
  const auto format =
      Registry<TopologyFormat>::instance().create("simgrid_platform_xml", "format", none);
  const Fabric again = format->read(folder.write("p.xml", format->write(fabric)));
  ASSERT_EQ(again.rank_count(), fabric.rank_count());
  const Schedule schedule =
      schedule_of(8, {{0, 5, 70000}, {1, 5, 10000}, {5, 2, 30000, {1}}, {3, 0, 90000}});
  const Timeline before = run_network("fluid", fabric, schedule);
  const Timeline after = run_network("fluid", again, schedule);
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    EXPECT_NEAR(after.finish_s[i], before.finish_s[i], 1e-12 * before.finish_s[i]);
  }
}

TEST(SimgridPlatform, ReadsClusters) {
  const Fabric fabric = read(R"(<zone id="z" routing="Full">
    <cluster id="c" prefix="n" radical="0-3" suffix="" speed="1Gf" bw="1GBps" lat="1us"
             bb_bw="2GBps" bb_lat="1us"/></zone>)");
  ASSERT_EQ(fabric.rank_count(), 4U);
  // Up, backbone, down; two pairs share the backbone's 2 GB/s, four do not fit.
  const Timeline four = run_network(
      "fluid", fabric, schedule_of(4, {{0, 1, 1000}, {1, 2, 1000}, {2, 3, 1000}, {3, 0, 1000}}));
  EXPECT_NEAR(four.makespan_s, 2e-6 + 3e-6, 1e-14);
}

TEST(SimgridPlatform, SaysWhatItCannotRead) {
  const auto refused = [](const std::string& body, const std::string& words) {
    expect_error<InvalidInput>([&] { (void)read(body); }, words);
  };
  refused("<zone id=\"z\" routing=\"Full\"></zone>", "the platform has no hosts");
  refused("<zone id=\"z\" routing=\"Nonsense\"></zone>", "SimGrid cannot read this platform");
  refused(
      R"(<zone id="z" routing="Full"><host id="a" speed="1Gf"/><host id="b" speed="1Gf"/></zone>)",
      "SimGrid cannot read this platform");
  expect_error<MissingCapability>(
      [] {
        (void)read(R"(<zone id="z" routing="Full">
          <host id="a" speed="1Gf"/><host id="b" speed="1Gf"/>
          <link id="l" bandwidth="1GBps" latency="1us" bandwidth_file="x.txt"/>
          <route src="a" dst="b"><link_ctn id="l"/></route></zone>)");
      },
      "links that change over time cannot be read: <link bandwidth_file>");
  expect_error<MissingCapability>(
      [] {
        (void)read(R"(<zone id="z" routing="Full">
          <host id="a" speed="1Gf"/><host id="b" speed="1Gf"/>
          <link id="l" bandwidth="1GBps" latency="1us" sharing_policy="FATPIPE"/>
          <link id="m" bandwidth="2GBps" latency="1us"/>
          <route src="a" dst="b"><link_ctn id="l"/><link_ctn id="m"/></route></zone>)");
      },
      "a FATPIPE link narrower than the others lies between \"a\" and \"b\"");
  const testing::TemporaryFolder folder;
  const auto cut = folder.write("cut.xml", "<platform version=\"4.1\"><zone id=");
  expect_error<InvalidInput>([&] { (void)load_topology(cut.string()); }, "not an XML file");
}

TEST(SimgridPlatform, ReadsRealFiles) {
  SWITCHYARD_REAL_DATA(folder, "topology/simgrid");
  const Fabric tree = load_topology((folder / "cluster_fat_tree.xml").string());
  EXPECT_EQ(tree.rank_count(), 16U);
  EXPECT_EQ(tree.fixed_routes().size(), 16U * 15U);
  const Fabric dragonfly = load_topology((folder / "cluster_dragonfly.xml").string());
  EXPECT_EQ(dragonfly.rank_count(), 120U);
  EXPECT_EQ(dragonfly.devices()[dragonfly.gpu_of(RankId{10}).index()].name, "node-10.simgrid.org");
  // SimGrid's own routes lead two of the four transfers between neighbouring leaves down the same
  // 125 MB/s cable (its CM02 model, asked directly, gives 20.2 ms too).
  std::vector<testing::Sent> shift;
  for (std::size_t rank = 0; rank < 16; ++rank) {
    shift.push_back({rank, (rank + 4) % 16, 1'250'000});
  }
  const Timeline timeline = run_network("fluid", tree, schedule_of(16, shift));
  EXPECT_NEAR(timeline.makespan_s, 0.02 + tree.routes(16).latency(0, 4).count(), 1e-9);
}

}  // namespace
}  // namespace switchyard
