// What every generator and every preset promises, so that a new one is tested on arrival.
#include <algorithm>
#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.hpp"
#include "topologies/topology_file.hpp"
#include "topologies/topology_format.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

struct Case {
  std::string name;
  json document;
};

void PrintTo(const Case& instance, std::ostream* stream) {
  *stream << instance.name;
}

std::vector<Case> all_topologies() {
  std::vector<Case> cases;
  for (const std::string& name : Registry<TopologyGenerator>::instance().names()) {
    cases.push_back({name + "_generator", {{"generator", name}}});
  }
  for (const TopologyPreset& preset : topology_presets()) {
    cases.push_back({preset.name + "_preset", load_topology_document(preset.name)});
  }
  return cases;
}

class EveryTopology : public ::testing::TestWithParam<Case> {
 protected:
  static Fabric load() { return fabric_from_json(GetParam().document, {GetParam().name, ""}); }
};

TEST_P(EveryTopology, IsConnectedAndRoutesEveryPair) {
  const Fabric fabric = load();
  const std::size_t ranks = std::min<std::size_t>(fabric.rank_count(), 128);
  const RouteTable& routes = fabric.routes(ranks);
  for (std::size_t source = 0; source < ranks; ++source) {
    for (std::size_t target = 0; target < ranks; ++target) {
      const auto hops = routes.hops(source, target);
      ASSERT_EQ(hops.empty(), source == target);
      DeviceId at = fabric.gpu_of(RankId{source});
      for (const Hop& hop : hops) {
        const Link& link = fabric.links()[hop.link.index()];
        ASSERT_EQ(link.from, at) << "a route is a chain of links";
        at = link.to;
        const bool is_end = at == fabric.gpu_of(RankId{target});
        ASSERT_TRUE(is_end || fabric.devices()[at.index()].kind != DeviceKind::Gpu);
      }
      ASSERT_EQ(at, fabric.gpu_of(RankId{target}));
    }
  }
}

TEST_P(EveryTopology, SpreadsWithoutLosingOrMakingBytes) {
  json document = GetParam().document;
  document["path_policy"] = "spread";
  const Fabric fabric = fabric_from_json(document, {GetParam().name, ""});
  const std::size_t ranks = std::min<std::size_t>(fabric.rank_count(), 24);
  for (std::size_t source = 0; source < ranks; ++source) {
    for (std::size_t target = 0; target < ranks; ++target) {
      std::map<DeviceId, double> left_over;
      left_over[fabric.gpu_of(RankId{source})] += 1;
      left_over[fabric.gpu_of(RankId{target})] -= 1;
      for (const Hop& hop : fabric.routes(ranks).hops(source, target)) {
        const Link& link = fabric.links()[hop.link.index()];
        left_over[link.from] -= static_cast<double>(hop.share);
        left_over[link.to] += static_cast<double>(hop.share);
      }
      for (const auto& [device, bytes] : left_over) {
        // Shares are floats; a device sums up to a few dozen of them.
        ASSERT_NEAR(bytes, 0, 1e-6) << fabric.devices()[device.index()].name;
      }
    }
  }
}

TEST_P(EveryTopology, HasEqualRatesUpAndDown) {
  const Fabric fabric = load();
  std::map<std::pair<DeviceId, DeviceId>, double> rate;
  for (const Link& link : fabric.links()) {
    rate[{link.from, link.to}] += link.effective_bandwidth().value;
  }
  for (const auto& [ends, value] : rate) {
    ASSERT_EQ(value, (rate[{ends.second, ends.first}]))
        << fabric.devices()[ends.first.index()].name;
  }
}

TEST_P(EveryTopology, UsesEveryDevice) {
  const Fabric fabric = load();
  std::vector<bool> is_used(fabric.devices().size());
  for (const Link& link : fabric.links()) {
    is_used[link.from.index()] = true;
    is_used[link.to.index()] = true;
  }
  for (std::size_t i = 0; i < is_used.size(); ++i) {
    EXPECT_TRUE(is_used[i]) << fabric.devices()[i].name;
  }
}

TEST_P(EveryTopology, ReadsBackFromItsExplicitDocument) {
  const Fabric fabric = load();
  const json written = topology_to_json(fabric);
  const Fabric again = fabric_from_json(json::parse(written.dump()), {"again", ""});
  EXPECT_EQ(again.name(), fabric.name());
  EXPECT_EQ(again.source(), fabric.source());
  EXPECT_EQ(again.is_calibrated(), fabric.is_calibrated());
  EXPECT_EQ(again.path_policy(), fabric.path_policy());
  EXPECT_TRUE(std::ranges::equal(again.devices(), fabric.devices()));
  EXPECT_TRUE(std::ranges::equal(again.links(), fabric.links()));
}

TEST_P(EveryTopology, ReadsBackFromGraphml) {
  const Fabric fabric = load();
  const testing::TemporaryFolder folder;
  Parameters parameters = Parameters::describing();
  const auto format = Registry<TopologyFormat>::instance().at("graphml", "format").make(parameters);
  const Fabric again = format->read(folder.write("fabric.graphml", format->write(fabric)));
  EXPECT_EQ(again.name(), fabric.name());
  EXPECT_EQ(again.source(), fabric.source());
  EXPECT_TRUE(std::ranges::equal(again.devices(), fabric.devices()));
  EXPECT_TRUE(std::ranges::equal(again.links(), fabric.links()));
}

INSTANTIATE_TEST_SUITE_P(Topologies,
                         EveryTopology,
                         ::testing::ValuesIn(all_topologies()),
                         [](const auto& instance) { return instance.param.name; });

TEST(TopologyPresets, SayWhatTheyAreAndWhereTheirFiguresComeFrom) {
  for (const TopologyPreset& preset : topology_presets()) {
    EXPECT_FALSE(preset.description.empty()) << preset.name;
    const Fabric fabric = load_topology(preset.name);
    EXPECT_FALSE(fabric.name().empty()) << preset.name;
    EXPECT_NE(fabric.is_calibrated(), fabric.source().starts_with("uncalibrated: data-sheet rates"))
        << preset.name;
  }
}

TEST(TopologyGenerators, DescribeEveryParameter) {
  for (const std::string& name : Registry<TopologyGenerator>::instance().names()) {
    for (const auto& parameter :
         Registry<TopologyGenerator>::instance().describe(name, "topology generator")) {
      EXPECT_FALSE(parameter.sentence.empty()) << name << "." << parameter.name;
    }
  }
}

TEST(TopologyFormats, ReadOrWriteAndRefuseTheOtherPolitely) {
  for (const std::string& name : Registry<TopologyFormat>::instance().names()) {
    Parameters parameters = Parameters::describing();
    const auto format = Registry<TopologyFormat>::instance().at(name, "format").make(parameters);
    EXPECT_TRUE(format->can_read() || format->can_write()) << name;
    if (!format->can_read()) {
      EXPECT_THROW((void)format->read("nothing"), MissingCapability) << name;
    } else {
      EXPECT_THROW((void)format->read("no/such/file"), InvalidInput) << name;
    }
    if (format->can_write()) {
      EXPECT_FALSE(format->write(load_topology("dgx_h100_8")).empty()) << name;
    } else {
      EXPECT_THROW((void)format->write(load_topology("dgx_h100_8")), MissingCapability) << name;
    }
  }
}

}  // namespace
}  // namespace switchyard
