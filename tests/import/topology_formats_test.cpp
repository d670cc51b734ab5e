// Foreign descriptions of machines: hand-made ones for each rule, real ones where they are at hand.
#include <algorithm>
#include <regex>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/real_data.hpp"
#include "tests/support/temporary_folder.hpp"
#include "topologies/topology_file.hpp"
#include "topologies/topology_format.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;

std::unique_ptr<TopologyFormat> format(const std::string& name, const json& values = {}) {
  Parameters parameters(values, {"parameters", ""});
  return Registry<TopologyFormat>::instance().create(name, "topology format", parameters);
}

double rate_of(const Fabric& fabric, const std::string& link) {
  const auto found = fabric.find_link(link);
  return found ? fabric.links()[found->index()].bandwidth.value : 0;
}

std::size_t count_kind(const Fabric& fabric, DeviceKind kind) {
  return static_cast<std::size_t>(
      std::count_if(fabric.devices().begin(), fabric.devices().end(), [&](const Device& device) {
        return device.kind == kind;
      }));
}

std::vector<std::string> route_of(const Fabric& fabric, std::size_t source, std::size_t target) {
  std::vector<std::string> names;
  for (const Hop& hop : fabric.routes(fabric.rank_count()).hops(source, target)) {
    names.push_back(fabric.links()[hop.link.index()].name);
  }
  return names;
}

std::size_t count_word(const std::string& text, const std::string& word) {
  std::size_t found = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    ++found;
  }
  return found;
}

constexpr const char* kTwoGpus = R"(<system version="1">
  <cpu numaid="0" arch="x86_64" vendor="AuthenticAMD">
    <pci busid="0000:01:00.0" class="0x060400" link_speed="16.0 GT/s PCIe" link_width="16">
      <pci busid="0000:02:00.0" class="0x030200" link_speed="16.0 GT/s PCIe" link_width="16">
        <gpu dev="1" sm="80"><nvlink target="0000:05:00.0" count="12" tclass="0x068000"/></gpu>
      </pci>
      <pci busid="0000:03:00.0" class="0x030200" link_speed="16.0 GT/s PCIe" link_width="16">
        <gpu dev="0" sm="80"><nvlink target="0000:05:00.0" count="12" tclass="0x068000"/></gpu>
      </pci>
      <pci busid="0000:04:00.0" class="0x020700" link_speed="16.0 GT/s PCIe" link_width="16">
        <nic><net name="mlx5_0" dev="0" speed="200000" port="1"/></nic>
      </pci>
    </pci>
    <pci busid="0000:09:00.0" class="0x030000" link_speed="" link_width=""/>
  </cpu>
</system>)";

TEST(NcclTopologyXml, ReadsGpusLinksAndNics) {
  const testing::TemporaryFolder folder;
  const auto path = folder.write("two.xml", kTwoGpus);
  EXPECT_EQ(guess_topology_format(path), "nccl_topology_xml");
  const Fabric fabric = load_topology(path.string());
  EXPECT_EQ(fabric.rank_count(), 2U) << "the management controller's display is no GPU";
  EXPECT_EQ(rate_of(fabric, "node0.gpu0->node0.nvswitch"), 12 * 25e9);
  EXPECT_DOUBLE_EQ(rate_of(fabric, "node0.pci0000:01:00.0->node0.gpu0"), 16e9 * 16 / 8 * 128 / 130);
  EXPECT_EQ(route_of(fabric, 0, 1),
            (std::vector<std::string>{"node0.gpu0->node0.nvswitch", "node0.nvswitch->node0.gpu1"}))
      << "not through the PCIe switch, which is as near";
  EXPECT_NE(fabric.source().find("rate of one NVLink 3 link (a100, 25.0 GB/s)"), std::string::npos)
      << fabric.source();
}

TEST(NcclTopologyXml, JoinsServersByRailsWithTheRatesOfTheFile) {
  const testing::TemporaryFolder folder;
  const auto path = folder.write("two.xml", kTwoGpus);
  const json document{{"file", path.string()}, {"parameters", {{"nodes", 3}, {"spines", 1}}}};
  const Fabric fabric = fabric_from_json(document, {"cluster.json", ""});
  EXPECT_EQ(fabric.rank_count(), 6U);
  EXPECT_EQ(fabric.node_count(), 3U);
  EXPECT_EQ(rate_of(fabric, "node2.nic0->group0.leaf0"), 25e9);
  EXPECT_EQ(route_of(fabric, 0, 5).size(), 8U);
}

TEST(NcclTopologyXml, FillsInWhatTheFileLeavesOutAndSaysSo) {
  const testing::TemporaryFolder folder;
  const auto path = folder.write("bare.xml", R"(<system version="1"><cpu numaid="0">
      <pci busid="1" class="0x030200" link_speed="32 GT/s" link_width="16"/>
      <pci busid="2" class="0x030200" link_speed="32 GT/s" link_width="16"/>
      <pci busid="3" class="0x020700" link_speed="" link_width=""/></cpu></system>)");
  const Fabric fabric = format("nccl_topology_xml", {{"nodes", 2}})->read(path);
  EXPECT_EQ(rate_of(fabric, "node1.gpu1->node1.nvswitch"), 450e9);
  EXPECT_EQ(rate_of(fabric, "node0.nic0->group0.leaf0"), 50e9);
  for (const char* words : {"uncalibrated",
                            "taken as h100 for its PCIe generation",
                            "NVLink 4 links, taken as 18 of 25.0 GB/s",
                            "NIC ports of 50.0 GB/s",
                            "rail-optimised network between servers"}) {
    EXPECT_NE(fabric.source().find(words), std::string::npos) << fabric.source();
  }
  const Fabric named = format("nccl_topology_xml", {{"accelerator", "a100"}})->read(path);
  EXPECT_EQ(rate_of(named, "node0.gpu1->node0.nvswitch"), 300e9);
}

TEST(NcclTopologyXml, ReadsXgmiMeshes) {
  const testing::TemporaryFolder folder;
  const auto path = folder.write("rccl.xml", R"(<system version="2"><cpu numaid="0">
      <pci busid="a" class="0x038000" link_speed="16 GT/s" link_width="16">
        <gpu dev="0" gcn="908"><xgmi target="b" count="1" tclass="0x038000"/></gpu></pci>
      <pci busid="b" class="0x038000" link_speed="16 GT/s" link_width="16">
        <gpu dev="1" gcn="908"><xgmi target="a" count="1" tclass="0x038000"/></gpu></pci>
      <pci busid="c" class="0x038000" link_speed="16 GT/s" link_width="16">
        <gpu dev="2" gcn="908"/></pci></cpu></system>)");
  const Fabric fabric = format("nccl_topology_xml")->read(path);
  EXPECT_EQ(rate_of(fabric, "node0.gpu0->node0.gpu1"), 46e9);
  EXPECT_EQ(rate_of(fabric, "node0.gpu0->node0.gpu1#2"), 0) << "listed at both ends, made once";
  EXPECT_EQ(route_of(fabric, 0, 2),
            (std::vector<std::string>{"node0.gpu0->node0.cpu0", "node0.cpu0->node0.gpu2"}));
}

TEST(NcclTopologyXml, RefusesDamagedFiles) {
  const testing::TemporaryFolder folder;
  const auto refuses = [&](const std::string& text, const std::string& words) {
    const auto path = folder.write("bad.xml", text);
    expect_error<InvalidInput>([&] { (void)format("nccl_topology_xml")->read(path); }, words);
  };
  const std::string good = kTwoGpus;
  refuses("", "not an XML file");
  refuses(good.substr(0, good.size() / 2), "not an XML file");
  refuses("<graphml/>", "no <system>");
  refuses("<system/>", "shows no GPU");
  refuses(std::regex_replace(good, std::regex("200000"), "fast"), "not a possible number");
  refuses(std::regex_replace(good, std::regex("count=\"12\""), "count=\"-1\""),
          "not a possible number");
  refuses(std::regex_replace(good, std::regex("count=\"12\""), "count=\"999\""), "999 links");
  refuses(std::regex_replace(good, std::regex("tclass=\"0x068000\""), ""), "shows no GPU");
  refuses(std::regex_replace(good, std::regex("0000:01:00.0"), "x[y"), "cannot be a device's name");
  std::string deep = "<system><cpu>";
  for (int i = 0; i < 100000; ++i) {
    deep += "<pci>";
  }
  for (int i = 0; i < 100000; ++i) {
    deep += "</pci>";
  }
  refuses(deep + "</cpu></system>", "too deep");
  const auto path =
      folder.write("no_nic.xml", "<system><cpu><pci busid='1' class='0x0302'/></cpu></system>");
  expect_error<InvalidInput>(
      [&] {
        (void)format("nccl_topology_xml", {{"nodes", 2}})->read(path);
      },
      "shows no NIC");
}

TEST(NcclTopologyXml, ReadsRealFiles) {
  SWITCHYARD_REAL_DATA(data, "topology");

  struct Expected {
    const char* file;
    std::size_t gpus;
    std::size_t nics;
    double first_link;  // of GPU 0 to the NVSwitch, or of its first mesh link
  };

  for (const Expected& expected : {Expected{"nccl_xml/oci_h100.xml", 8, 16, 450e9},
                                   Expected{"nccl_xml/aws_p4d_a100.xml", 8, 4, 300e9},
                                   Expected{"nccl_xml/azure_ndv4_a100.xml", 8, 8, 300e9},
                                   Expected{"nccl_xml/azure_ndv2_v100.xml", 8, 1, 300e9},
                                   Expected{"rccl_xml/topo_16p1h.xml", 16, 8, 200e9},
                                   Expected{"rccl_xml/topo_8p_rome_4nics.xml", 8, 4, 46e9}}) {
    const auto path = data / expected.file;
    EXPECT_EQ(guess_topology_format(path), "nccl_topology_xml") << path;
    const Fabric fabric = format("nccl_topology_xml", {{"nodes", 2}})->read(path);
    EXPECT_EQ(fabric.rank_count(), 2 * expected.gpus) << path;
    EXPECT_EQ(count_kind(fabric, DeviceKind::Nic), 2 * expected.nics) << path;
    const auto first =
        std::find_if(fabric.links().begin(), fabric.links().end(), [](const auto& link) {
          return link.name.starts_with("node0.gpu0->node0.gpu") ||
                 link.name == "node0.gpu0->node0.nvswitch";
        });
    ASSERT_NE(first, fabric.links().end()) << path;
    EXPECT_EQ(first->bandwidth.value, expected.first_link) << path;
    EXPECT_EQ(fabric.routes(fabric.rank_count()).rank_count(), 2 * expected.gpus);
  }
}

TEST(NvidiaSmiMatrix, TakesEqualNvlinksToAllForASwitch) {
  const testing::TemporaryFolder folder;
  const auto path = folder.write("topo.txt",
                                 "\t\x1b[4mGPU0\tGPU1\tGPU2\tNIC0\tCPU Affinity\x1b[0m\n"
                                 "GPU0\t X \tNV18\tNV18\tPIX\t0-51\n"
                                 "GPU1\tNV18\t X \tNV18\tSYS\t0-51\n"
                                 "GPU2\tNV18\tNV18\t X \tNODE\t0-51\n"
                                 "NIC0\tPIX\tSYS\tNODE\t X \n\nLegend:\n\n  X    = Self\n");
  EXPECT_EQ(guess_topology_format(path), "nvidia_smi_matrix");
  const Fabric fabric = format("nvidia_smi_matrix", {{"nodes", 2}})->read(path);
  EXPECT_EQ(rate_of(fabric, "node0.gpu2->node0.nvswitch"), 450e9);
  EXPECT_EQ(rate_of(fabric, "node0.gpu0->node0.nic0"), 64e9);
  EXPECT_EQ(rate_of(fabric, "node0.gpu1->node0.nic0"), 22e9) << "across sockets";
  EXPECT_EQ(route_of(fabric, 0, 3).front(), "node0.gpu0->node0.nic0");
  EXPECT_NE(fabric.source().find("taken as h100 for 18 NVLinks"), std::string::npos);
}

TEST(NvidiaSmiMatrix, TakesFewNvlinksForAMesh) {
  const testing::TemporaryFolder folder;
  const auto path = folder.write(
      "topo.txt", "     GPU0 GPU1 GPU2\nGPU0 X NV2 NV1\nGPU1 NV2 X SYS\nGPU2 NV1 SYS X\n");
  const Fabric fabric = format("nvidia_smi_matrix", {{"accelerator", "v100"}})->read(path);
  EXPECT_EQ(rate_of(fabric, "node0.gpu0->node0.gpu1"), 50e9);
  EXPECT_EQ(rate_of(fabric, "node0.gpu2->node0.gpu0"), 25e9);
  EXPECT_EQ(rate_of(fabric, "node0.gpu1->node0.gpu2"), 16e9) << "PCIe 3";
}

TEST(NvidiaSmiMatrix, RefusesDamagedText) {
  const testing::TemporaryFolder folder;
  const auto refuses = [&](const std::string& text, const std::string& words) {
    const auto path = folder.write("bad.txt", text);
    expect_error<InvalidInput>([&] { (void)format("nvidia_smi_matrix")->read(path); }, words);
  };
  refuses("", "no header");
  refuses("hello\n", "no header");
  refuses("NIC0\nNIC0 X\n", "no GPU");
  refuses("GPU0 GPU1\nGPU0 X NV4\n", "the row of GPU1 is missing");
  refuses("GPU0 GPU1\nGPU0 X\nGPU1 NV4 X\n", "line 2: the row of GPU0 is cut short");
  refuses("GPU0 GPU1\nGPU0 X WARP\nGPU1 WARP X\n", "line 2: \"WARP\" between GPU0 and GPU1");
  refuses("GPU0 GPU0\nGPU0 X NV4\n", "occurs twice");
}

TEST(NvidiaSmiMatrix, ReadsRealText) {
  SWITCHYARD_REAL_DATA(data, "topology/nvidia_smi");
  EXPECT_EQ(
      rate_of(load_topology((data / "a100_8gpu_nv12.txt").string()), "node0.gpu7->node0.nvswitch"),
      300e9);
  EXPECT_EQ(
      rate_of(load_topology((data / "h100_8gpu_nv18.txt").string()), "node0.gpu7->node0.nvswitch"),
      450e9);
  const Fabric cluster =
      format("nvidia_smi_matrix", {{"nodes", 2}})->read(data / "h100_9nic_gpu_rows.tsv");
  EXPECT_EQ(count_kind(cluster, DeviceKind::Nic), 18U);
  EXPECT_EQ(route_of(cluster, 0, 8).front(), "node0.gpu0->node0.nic8") << "its PIX neighbour";
}

TEST(AstraSimYaml, ReadsDimensionsInnermostFirst) {
  const testing::TemporaryFolder folder;
  const auto path = folder.write("net.yml",
                                 "topology: [ Switch, Ring ]\nnpus_count: [ 4, 3 ]\n"
                                 "bandwidth: [ 400, 50 ]\nlatency: [ 936.25, 1000 ]\n");
  EXPECT_EQ(guess_topology_format(path), "astra_sim_yaml");
  const Fabric fabric = load_topology(path.string());
  EXPECT_EQ(fabric.rank_count(), 12U);
  EXPECT_EQ(fabric.node_count(), 3U);
  EXPECT_EQ(rate_of(fabric, "router5->dimension0.switch4"), 400e9);
  EXPECT_EQ(rate_of(fabric, "router8->router0"), 50e9) << "the ring closes";
  // Stored as float: 24 bits.
  EXPECT_NEAR(fabric.routes(12).latency(0, 3).count(), 2 * 936.25e-9, 1e-12);
}

TEST(AstraSimYaml, RefusesOpenValuesAndDamage) {
  const testing::TemporaryFolder folder;
  const auto refuses = [&](const std::string& text, const std::string& words) {
    const auto path = folder.write("bad.yml", text);
    expect_error<InvalidInput>([&] { (void)format("astra_sim_yaml")->read(path); }, words);
  };
  const std::string start = "topology: [ Ring ]\nnpus_count: [ 4 ]\n";
  refuses(start + "bandwidth: [ tbd ]\nlatency: [ 1 ]\n",
          "line 3: bandwidth is \"tbd\", not a number");
  refuses(start + "bandwidth: [ nan ]\nlatency: [ 1 ]\n", "not a number");
  refuses(start + "bandwidth: [ 0 ]\nlatency: [ 1 ]\n", "without bandwidth");
  refuses(start + "bandwidth: [ 1, 2 ]\nlatency: [ 1 ]\n", "2 entries for 1 dimensions");
  refuses(start + "latency: [ 1 ]\n", "\"bandwidth\" is not a list");
  refuses("topology: [ Star ]\nnpus_count: [ 4 ]\nbandwidth: [ 1 ]\nlatency: [ 1 ]\n", "\"Star\"");
  refuses(
      "topology: [ Ring, Ring ]\nnpus_count: [ 60000, 60000 ]\nbandwidth: [ 1, 1 ]\nlatency: [ 1, "
      "1 ]\n",
      "not a possible fabric");
  refuses("topology: [ Ring ]\nnpus_count: [ 2.5 ]\nbandwidth: [ 1 ]\nlatency: [ 1 ]\n",
          "2.5 npus");
  refuses("a: [", "not a YAML file");
  refuses("3", "not an ASTRA-sim network file");
  refuses("", "not an ASTRA-sim network file");
}

TEST(AstraSimYaml, ReadsRealFilesAndRefusesTheUnfinishedOne) {
  SWITCHYARD_REAL_DATA(data, "topology/astra_sim");
  EXPECT_EQ(load_topology((data / "HGX-H100-validated.yml").string()).rank_count(), 8U);
  EXPECT_EQ(load_topology((data / "hgx_h100_16gpu.yml").string()).node_count(), 2U);
  expect_error<InvalidInput>([&] { (void)load_topology((data / "dgx_v100_8gpu.yml").string()); },
                             "tbd");
}

TEST(AstraSimYaml, WritesEqualNodesAsOneSwitchPerLevelAndReadsThemBack) {
  const testing::TemporaryFolder folder;
  const std::string text = format("astra_sim_yaml")->write(load_topology("hgx_h100_rail_64"));
  EXPECT_NE(text.find("npus_count: [ 8, 8 ]"), std::string::npos) << text;
  EXPECT_NE(text.find("bandwidth: [ 450, 50 ]"), std::string::npos) << text;
  const Fabric again = load_topology(folder.write("net.yml", text).string());
  EXPECT_EQ(again.rank_count(), 64U);
  EXPECT_EQ(again.node_count(), 8U);
  expect_error<MissingCapability>(
      [] { (void)format("astra_sim_yaml")->write(load_topology("unequal_rail_32")); }, "differs");
}

TEST(Graphml, ReadsUndirectedFilesOfOtherTools) {
  const testing::TemporaryFolder folder;
  const auto path = folder.write("net.graphml", R"(<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key id="k" for="node" attr.name="kind" attr.type="string"/>
  <key id="n" for="node" attr.name="node" attr.type="long"/>
  <key id="c" for="node" attr.name="colour" attr.type="string"/>
  <key id="b" for="edge" attr.name="bandwidth" attr.type="string"/>
  <graph edgedefault="undirected">
    <node id="a"><data key="k">gpu</data><data key="n">0</data><data key="c">red</data></node>
    <node id="b"><data key="k">gpu</data><data key="n">1</data></node>
    <node id="s"><data key="k">switch</data></node>
    <edge source="a" target="s"><data key="b">400Gbps</data></edge>
    <edge source="s" target="b"><data key="b">200Gbps</data></edge>
  </graph>
</graphml>)");
  EXPECT_EQ(guess_topology_format(path), "graphml");
  const Fabric fabric = load_topology(path.string());
  EXPECT_EQ(fabric.node_count(), 2U);
  EXPECT_EQ(rate_of(fabric, "s->a"), 50e9);
  EXPECT_EQ(rate_of(fabric, "b->s"), 25e9);
}

TEST(Graphml, RefusesDamagedFiles) {
  const testing::TemporaryFolder folder;
  const auto refuses = [&](const std::string& text, const std::string& words) {
    const auto path = folder.write("bad.graphml", text);
    expect_error<InvalidInput>([&] { (void)format("graphml")->read(path); }, words);
  };
  const std::string good = format("graphml")->write(load_topology("dgx_h100_8"));
  refuses(good.substr(0, good.size() - 30), "not an XML file");
  refuses(std::regex_replace(good, std::regex(">450GBps<"), ">450<"), "\"450\" has no unit");
  refuses(std::regex_replace(good, std::regex(">gpu<"), "><"), "has no \"kind\"");
  refuses(std::regex_replace(good, std::regex(">gpu<"), ">tpu<"), "kind");
  refuses(std::regex_replace(good, std::regex("target=\"n0\""), "target=\"n99\""), "");
  refuses(std::regex_replace(good, std::regex("target="), "taget="), "lacks something");
  refuses("<graphml></graphml>", "no <graph>");
  std::string deep;
  for (int i = 0; i < 100000; ++i) {
    deep += "<graphml>";
  }
  refuses(deep, "not an XML file");
  for (int i = 0; i < 100000; ++i) {
    deep += "</graphml>";
  }
  refuses(deep, "too deep");
}

TEST(Dot, DrawsOneLineForBothDirections) {
  const std::string text = format("dot")->write(load_topology("dgx_h100_8"));
  EXPECT_EQ(count_word(text, "dir=none"), 8U) << text;
  EXPECT_EQ(count_word(text, "dir=forward"), 0U);
  EXPECT_EQ(count_word(text, "label=\"450 GB/s\""), 8U);
  EXPECT_EQ(count_word(text, "subgraph cluster_0"), 1U);
}

TEST(SimgridPlatformXml, HoldsEveryRouteHopByHop) {
  const Fabric fabric = load_topology("dgx_a100_8");
  const std::string text = format("simgrid_platform_xml")->write(fabric);
  EXPECT_EQ(count_word(text, "<host "), 8U);
  EXPECT_EQ(count_word(text, "<link "), 16U);
  EXPECT_EQ(count_word(text, "<route "), 56U);
  EXPECT_EQ(count_word(text, "<link_ctn "), 112U);
  EXPECT_NE(text.find("bandwidth=\"300000000000Bps\""), std::string::npos);
  expect_error<MissingCapability>(
      [&] { (void)format("simgrid_platform_xml")->write(load_topology("hgx_h100_rail_1024")); },
      "at most 512 ranks");
  const json spread{{"preset", "hgx_h100_rail_64"}, {"path_policy", "spread"}};
  expect_error<MissingCapability>(
      [&] { (void)format("simgrid_platform_xml")->write(fabric_from_json(spread, {})); },
      "one route per pair");
}

}  // namespace
}  // namespace switchyard
