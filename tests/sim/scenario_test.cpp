#include "sim/replay/scenario.hpp"

#include <map>

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/small_trace.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;
using testing::small_routing;

const Location kWhere{"scenario.json", "#"};

json document() {
  return {{"topology", "dgx_h100_8"}, {"model", {{"expert_hidden", 512}}}};
}

Scenario load(const json& changes, const testing::SmallTrace& shape = {}) {
  json whole = document();
  whole.merge_patch(changes);
  return load_scenario(whole, kWhere, small_routing(shape));
}

TEST(Scenario, FillsInWhatIsNotSaid) {
  const Scenario scenario = load(json::object());
  EXPECT_EQ(scenario.ranks, 8U);
  EXPECT_EQ(scenario.model.hidden, 1024);
  EXPECT_EQ(scenario.token_bytes.dispatch, 2048);
  const json resolved = json::parse(scenario.resolved_json);
  EXPECT_EQ(resolved["placement"]["name"], "contiguous");
  EXPECT_EQ(resolved["network"]["launch_overhead"], "0s");
}

TEST(Scenario, WrittenBackMeansTheSame) {
  const Scenario first =
      load({{"capacity", {{"name", "drop"}, {"factor", 1.5}}}, {"ranks", 4}}, {.ranks = 4});
  const Scenario again =
      load_scenario(json::parse(first.resolved_json), kWhere, small_routing({.ranks = 4}));
  EXPECT_EQ(again.resolved_json, first.resolved_json);
  EXPECT_EQ(again.hash, first.hash);
}

TEST(Scenario, HashChangesWithAnyChoice) {
  EXPECT_NE(load(json::object()).hash, load({{"placement", "round_robin"}}).hash);
  EXPECT_NE(load(json::object()).hash, load({{"seed", 1}}).hash);
}

TEST(Scenario, CountsScalesOfFp8Tokens) {
  // 1024 bytes and 1024 / 128 scales of 4 bytes.
  EXPECT_EQ(load({{"wire", {{"dispatch", "fp8"}}}}).token_bytes.dispatch, 1024 + 32);
}

TEST(Scenario, SaysWhichKeyIsUnknownAndWhichWasMeant) {
  expect_error<InvalidInput>([] { (void)load({{"topologie", "x"}}); }, "topology");
  expect_error<InvalidInput>(
      [] {
        (void)load({{"capacity", {{"name", "drop"}, {"facto", 2}}}});
      },
      "scenario.json#/capacity/facto");
  expect_error<InvalidInput>(
      [] {
        (void)load({{"placement", "contigous"}});
      },
      "did you mean \"contiguous\"?");
}

TEST(Scenario, RefusesNumbersThatClash) {
  expect_error<InvalidInput>(
      [] {
        (void)load({{"ranks", 9}});
      },
      "9 ranks do not fit on the 8 GPUs");
  expect_error<InvalidInput>(
      [] {
        (void)load({{"model", "mixtral_8x7b"}});
      },
      "8 experts, but the trace was recorded with 16");
  for (const auto& [key, words] : std::map<std::string, std::string>{
           {"top_k", "3 choices per token, but the trace was recorded with 2"},
           {"hidden", "3 numbers per token, but the trace was recorded with 1024"},
           {"experts", "3 experts, but the trace was recorded with 16"}}) {
    expect_error<InvalidInput>([&] { (void)load({{"model", {{key, 3}}}}); }, words);
  }
  expect_error<InvalidInput>(
      [] {
        (void)load({{"model", {{"layers", 1}}}});
      },
      "the model has 1 MoE layers, but the trace was recorded with 2");
  expect_error<InvalidInput>(
      [] {
        (void)load({{"model", {{"zero_cost_experts", 16}}}});
      },
      "16 zero-cost experts of 16 leave none with weights");
  expect_error<InvalidInput>(
      [] {
        (void)load({{"capacity", {{"name", "drop"}, {"factor", -1}}}});
      },
      "-1 is out of range");
  expect_error<InvalidInput>(
      [] {
        (void)load({{"network", {{"launch_overhead", 5}}}});
      },
      "5 has no unit");
}

TEST(Settings, ReachAnyDepthAndReadJsonOrText) {
  json doc = default_scenario_document();
  apply_setting(doc, "capacity=drop");
  apply_setting(doc, "capacity.factor=1.5");
  apply_setting(doc, "wire.dispatch=fp8");
  EXPECT_EQ(doc["capacity"], (json{{"name", "drop"}, {"factor", 1.5}}));
  EXPECT_EQ(doc["wire"]["dispatch"], "fp8");
  doc["model"] = "mixtral_8x7b";  // as --model says it
  doc["trace"] = "my.trace";
  apply_setting(doc, "model.dtype=fp8");
  apply_setting(doc, "trace.assign_ranks=contiguous");
  EXPECT_EQ(doc["model"], (json{{"preset", "mixtral_8x7b"}, {"dtype", "fp8"}}));
  EXPECT_EQ(doc["trace"]["path"], "my.trace");
  expect_error<InvalidInput>([&] { apply_setting(doc, "nonsense"); }, "path=value");
  expect_error<InvalidInput>([&] { apply_setting(doc, "seed.x=1"); }, "leads nowhere");
}

}  // namespace
}  // namespace switchyard
