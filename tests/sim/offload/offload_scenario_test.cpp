// What an offload document may say, and what the user reads when it says something else.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/offload/offload_what_if.hpp"
#include "sim/offload/tier_links.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/small_trace.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;
using testing::small_routing;

// 16 experts of 3 x 1024 x 2048 bf16 elements: 12.58 MB; top-2, 2 layers, 32 tokens.
json small_document() {
  return {{"model", {{"hidden", 1024}, {"expert_hidden", 2048}}},
          {"memory", {{"cached_experts", 8}}}};
}

OffloadScenario load(const json& document) {
  return load_offload(document, {"offload.json", "#"}, small_routing({}));
}

void refuse(const json& change, const std::string& words) {
  json document = small_document();
  document.merge_patch(change);
  expect_error<InvalidInput>([&] { (void)load(document); }, words);
}

TEST(OffloadScenario, FillsInWhatIsLeftOut) {
  const OffloadScenario scenario = load(small_document());
  EXPECT_EQ(scenario.bytes.high.front(), 3 * 1024 * 2048 * 2);
  EXPECT_EQ(scenario.setup.cache.high, (std::vector<std::int64_t>{8 * 3 * 1024 * 2048 * 2}));
  EXPECT_DOUBLE_EQ(scenario.setup.tier.host.bandwidth.value, 64e9) << "of the H100's preset";
  EXPECT_EQ(scenario.stream.passes(), 32U);
  EXPECT_EQ(load(json::parse(scenario.resolved_json)).hash, scenario.hash);
}

TEST(OffloadScenario, RefusesACacheThatHoldsNoTokensExperts) {
  refuse({{"memory", {{"cached_experts", 1}}}},
         "a cache of 12.0 MiB has room for 1 of the experts, 12.0 MiB each, but a token needs 2 at "
         "once");
  refuse({{"memory", {{"cached_experts", 0}, {"cache", "10MB"}}}}, "give it at least 24.0 MiB");
  refuse({{"memory", {{"cached_experts", 2}}}, {"precision", {{"t1", 0.6}, {"t2", 0.9}}}},
         "a token needs 2 at once");
}

TEST(OffloadScenario, RefusesAccuraciesThatAreNone) {
  refuse({{"prefetch", {{"horizon", 1}, {"accuracy", 1.5}}}},
         "a prediction's accuracy is between 0 and 1, not 1.5");
  refuse({{"prefetch", {{"horizon", 2}, {"accuracy", json::array({0.9, -0.1})}}}}, "not -0.1");
  refuse({{"prefetch", {{"horizon", 2}, {"accuracy", json::array({0.9})}}}},
         "1 accuracies where 2 are wanted");
  refuse({{"prefetch", {{"horizon", -1}}}}, "-1 is out of range");
}

TEST(OffloadScenario, RefusesBareAndNegativeQuantities) {
  refuse({{"memory", {{"host_link", "32"}}}}, "has no unit");
  refuse({{"memory", {{"host_link", 32}}}}, "offload.json#/memory/host_link");
  refuse({{"memory", {{"host_latency", "-1us"}}}}, "host_latency");
  refuse({{"memory", {{"cached_experts", -4}}}}, "-4 is out of range");
}

TEST(OffloadScenario, RefusesExpertsOfUnknownSize) {
  refuse({{"model", {{"expert_hidden", nullptr}}}}, "name the model (--model");
}

TEST(OffloadScenario, RefusesWhatContradictsItself) {
  refuse({{"memory", {{"cache", "1GB"}}}}, "the cache is given twice");
  refuse({{"precision", {{"t1", 0.9}, {"t2", 0.6}}}}, "t1 0.9 is above t2 0.6");
  refuse({{"memory", {{"unified", true}}}}, "unified memory needs an SSD");
  refuse({{"memory", {{"unified", true}, {"ssd_link", "3GBps"}, {"host_link", "32GBps"}}}},
         "unified memory has no host link");
  refuse({{"precision", {{"average_bits", 0.5}}}}, "16 experts cannot have 1, 2 or 3 bits each");
  refuse({{"policy", {{"name", "hobbit"}, {"recency", 1}}}}, "add up to 1.75, not to 1");
  refuse({{"policy", "lrv"}}, "did you mean \"lru\"?");
  refuse({{"memry", json::object()}}, "no such key \"memry\" (did you mean \"memory\"?)");
  refuse({{"format_version", 2}}, "offload.json#/format_version");
  refuse({{"compute", {{"device", "gb200"}}}}, "names no link to host memory");
  refuse({{"memory", {{"gpus", 17}}}}, "17 GPUs for the 16 experts of a layer");
  refuse({{"seed", -1}}, "offload.json#/seed");
}

TEST(OffloadScenario, CountsAreNotEnough) {
  ExpertLoad load_counts;
  load_counts.metadata.model = {.hidden = 1024, .experts = 4, .top_k = 2};
  load_counts.rows = {{.step = 0, .layer = 0}};
  load_counts.counts = Matrix<std::int64_t>(1, 4, 3);
  const auto routing = std::make_shared<const RoutingData>(load_counts);
  expect_error<MissingCapability>(
      [&] {
        (void)load_offload(small_document(), {"offload.json", "#"}, routing);
      },
      "an expert cache needs L2");
}

TEST(OffloadScenario, SplitsTheCacheByLayer) {
  json document = small_document();
  document["memory"] = {{"cached_experts", 9}, {"split", "equal"}};
  EXPECT_EQ(load(document).slots, (std::vector<std::size_t>{5, 4}));
  document["memory"]["split"] = "adapmoe";
  document["prefetch"] = {{"horizon", 1}, {"accuracy", 1}, {"limit", 2}};
  const std::vector<std::size_t> slots = load(document).slots;
  EXPECT_EQ(slots, (std::vector<std::size_t>{9, 0})) << "the layer that nobody predicts gets all";
}

TEST(OffloadScenario, ReadsLinksOffATopology) {
  const json topology = {
      {"name", "box"},
      {"devices",
       {{{"name", "gpu[0..1]"}, {"kind", "gpu"}, {"node", 0}},
        {{"name", "switch"}, {"kind", "switch"}, {"node", 0}},
        {{"name", "memory"}, {"kind", "host_memory"}, {"node", 0}},
        {{"name", "disk"}, {"kind", "ssd"}, {"node", 0}}}},
      {"links",
       {{{"from", "gpu[0..1]"}, {"to", "switch"}, {"bandwidth", "64GBps"}, {"latency", "1us"}},
        {{"from", "switch"}, {"to", "memory"}, {"bandwidth", "64GBps"}, {"latency", "1us"}},
        {{"from", "disk"}, {"to", "memory"}, {"bandwidth", "7GBps"}, {"latency", "80us"}}}}};
  json document = small_document();
  document["topology"] = topology;
  const MemoryTier tier = load(document).setup.tier;
  EXPECT_DOUBLE_EQ(tier.host.bandwidth.value, 64e9);
  EXPECT_DOUBLE_EQ(tier.host.latency.count(), 2e-6);
  EXPECT_EQ(tier.gpus_per_link, 2U) << "both GPUs are behind one link to the memory";
  EXPECT_DOUBLE_EQ(tier.ssd.bandwidth.value, 7e9);
  document["topology"] = "dgx_h100_8";
  expect_error<InvalidInput>([&] { (void)load(document); }, "has neither host memory nor an SSD");
}

TEST(OffloadStudy, RanksReplayedChangesAndFindsTheBreakEven) {
  json document = small_document();
  document["prefetch"] = {{"horizon", 1}, {"accuracy", 0.9}};
  document["compute"] = {{"other_per_layer", "1ms"}};
  const OffloadScenario scenario = load(document);
  const OffloadResult result = replay_offload(scenario.stream, scenario.setup);
  const OffloadStudy study = study_offload(scenario, result);
  ASSERT_FALSE(study.ranked.empty());
  for (std::size_t i = 1; i < study.ranked.size(); ++i) {
    EXPECT_GE(study.ranked[i - 1].gain, study.ranked[i].gain);
  }
  ASSERT_TRUE(study.break_even.has_value());
  EXPECT_LE(study.break_even->perfect_s, study.break_even->without_s);
}

TEST(OffloadStudy, NamesTheSlowLink) {
  json document = small_document();
  document["memory"]["host_link"] = "1GBps";
  const OffloadScenario scenario = load(document);
  EXPECT_EQ(limit_of(replay_offload(scenario.stream, scenario.setup)).name, "host link");
  document["memory"]["host_link"] = "1000GBps";
  document["compute"] = {{"other_per_layer", "1ms"}};
  const OffloadScenario fast = load(document);
  EXPECT_EQ(limit_of(replay_offload(fast.stream, fast.setup)).name, "other work");
}

}  // namespace
}  // namespace switchyard
