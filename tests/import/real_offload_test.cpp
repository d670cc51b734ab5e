// Public traces through an expert cache: what a cache of a given size hits.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/offload/offload_scenario.hpp"
#include "tests/support/importing.hpp"
#include "tests/support/real_data.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::import_trace;

std::map<std::string, double> hit_ratios(const std::shared_ptr<const RoutingData>& routing,
                                         const std::string& model,
                                         std::int64_t cached_experts) {
  std::map<std::string, double> ratios;
  for (const std::string& policy : Registry<CachePolicy>::instance().names()) {
    const OffloadScenario scenario = load_offload(
        {{"model", model}, {"policy", policy}, {"memory", {{"cached_experts", cached_experts}}}},
        {"test", ""},
        routing);
    const OffloadResult result = replay_offload(scenario.stream, scenario.setup);
    EXPECT_EQ(result.counts.uses, result.counts.hits + result.counts.loads);
    ratios[policy] = result.counts.hit_ratio();
  }
  return ratios;
}

void expect_order(const std::map<std::string, double>& ratios) {
  for (const auto& [policy, ratio] : ratios) {
    EXPECT_GE(ratios.at("belady"), ratio) << policy;
    ::testing::Test::RecordProperty(policy, std::to_string(ratio));
  }
  EXPECT_GT(ratios.at("belady"), 1.15 * ratios.at("lru")) << "eviction matters on real routing";
  EXPECT_GT(ratios.at("lfu"), ratios.at("random"));
}

TEST(RealOffload, EsftThroughAQuarterOfItsExperts) {
  SWITCHYARD_REAL_DATA(law, "routing/esft_deepseek-v2-lite/law");
  const auto routing = std::make_shared<const RoutingData>(import_trace(law));
  expect_order(hit_ratios(routing, "deepseek_v2_lite", 26 * 64 / 4));
}

TEST(RealOffload, GptOssThroughAQuarterOfItsExperts) {
  SWITCHYARD_REAL_DATA(tokens,
                       "routing/gpt-oss-20b/mmlu_test__professional_law__False_False.csv.gz");
  const auto routing = std::make_shared<const RoutingData>(import_trace(tokens));
  expect_order(hit_ratios(routing, "gpt_oss_20b", 24 * 32 / 4));
}

}  // namespace
}  // namespace switchyard
