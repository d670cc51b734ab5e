// The keys of `simulate --json` are a promise; this test is where breaking it shows.
#include "report/files/result_json.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/small_result.hpp"

namespace switchyard {
namespace {

using nlohmann::ordered_json;
using testing::small_counts_result;
using testing::small_result;
using Keys = std::vector<std::string>;

const Keys kMetricKeys{"dispatch_s",
                       "combine_s",
                       "compute_s",
                       "layer_s",
                       "exposed_communication_s",
                       "lower_bound_s",
                       "bottleneck_link",
                       "expert_imbalance",
                       "rank_imbalance",
                       "dropped_fraction",
                       "padded_fraction",
                       "inter_node_bytes",
                       "intra_node_bytes"};
const Keys kPhaseKeys{"name", "lane", "time_s", "bytes", "bound"};

Keys keys_of(const ordered_json& object) {
  Keys keys;
  for (const auto& item : object.items()) {
    keys.push_back(item.key());
  }
  return keys;
}

Keys joined(Keys first, const Keys& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

TEST(ResultJson, KeepsItsKeysAndTheirOrder) {
  const ordered_json document = result_to_json(small_result());
  EXPECT_EQ(keys_of(document),
            (Keys{"format_version",
                  "program_version",
                  "scenario_hash",
                  "seed",
                  "fidelity",
                  "network",
                  "layers",
                  "total",
                  "is_partial",
                  "notes"}));
  EXPECT_EQ(keys_of(document["network"]), (Keys{"name", "mode", "window"}));
  const Keys extra{"lost_token_fraction", "dropped_gate_mass", "collective_s", "phases"};
  EXPECT_EQ(keys_of(document["layers"][0]), joined(joined({"step", "layer"}, kMetricKeys), extra));
  EXPECT_EQ(keys_of(document["total"]),
            joined(joined(joined(kMetricKeys, {"step_s", "straggler_rank", "wait_s"}), extra),
                   {"step_exchanges", "pipeline_bubble"}));
  EXPECT_EQ(keys_of(document["layers"][0]["phases"][0]), joined(kPhaseKeys, {"bottleneck_link"}));
  EXPECT_EQ(keys_of(document["total"]["phases"][0]), kPhaseKeys);
}

TEST(ResultJson, HoldsTheValuesOfTheResult) {
  const ordered_json document = result_to_json(small_result());
  EXPECT_EQ(document["format_version"], 1);
  EXPECT_EQ(document["scenario_hash"], "0123456789abcdef");
  EXPECT_EQ(document["fidelity"], "L2");
  EXPECT_EQ(document["total"]["step_s"], 0.016);
  EXPECT_EQ(document["total"]["straggler_rank"], 3);
  EXPECT_EQ(document["total"]["bottleneck_link"], "gpu0->switch");
  EXPECT_EQ(document["layers"][1]["layer"], 2);
  EXPECT_EQ(document["layers"][1]["inter_node_bytes"], 2000) << "both exchanges";
  EXPECT_EQ(document["layers"][1]["bottleneck_link"], "gpu0->switch") << "of the slower exchange";
  EXPECT_EQ(document["is_partial"], false);
  EXPECT_EQ(document["layers"][0]["phases"][1]["bound"], "memory");
  EXPECT_EQ(document["total"]["phases"][0]["time_s"], 0.004) << "both layers";
}

TEST(ResultJson, WritesNullWhereTheFidelityDoesNotAllowAMetric) {
  const ordered_json document = result_to_json(small_counts_result());
  for (const char* key : {"dispatch_s",
                          "combine_s",
                          "layer_s",
                          "exposed_communication_s",
                          "lower_bound_s",
                          "bottleneck_link",
                          "inter_node_bytes",
                          "intra_node_bytes",
                          "step_s",
                          "straggler_rank",
                          "wait_s"}) {
    EXPECT_TRUE(document["total"][key].is_null()) << key;
  }
  EXPECT_EQ(document["total"]["expert_imbalance"], 1.7);
  EXPECT_TRUE(document["layers"][0]["dispatch_s"].is_null());
}

}  // namespace
}  // namespace switchyard
