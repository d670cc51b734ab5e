// --explain: every change is simulated anew, ranked by what it saves; the impossible says why.
#include "sim/what_if.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/what_if_report.hpp"
#include "sim/replay/simulation.hpp"
#include "tests/support/small_trace.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t kLayers = 2;  // of four

std::shared_ptr<const RoutingData> routing() {
  static const auto kRouting =
      testing::small_routing({.layers = 4, .ranks = 16, .tokens_per_rank = 8});
  return kRouting;
}

json base_document() {
  return {{"topology", "hgx_h100_rail_64"},
          {"ranks", 16},
          {"model", {{"expert_hidden", 512}}},
          {"network", "bound"}};
}

Scenario scenario_of(const json& document) {
  return load_scenario(document, {"test", "#"}, routing());
}

WhatIfStudy study(const json& document = base_document(), unsigned threads = 1) {
  const Scenario scenario = scenario_of(document);
  return study_what_ifs(scenario, simulate(scenario), {.most_layers = kLayers, .threads = threads});
}

const WhatIfOutcome& outcome_of(const WhatIfStudy& study, const std::string& change) {
  for (const WhatIfOutcome& outcome : study.ranked) {
    if (outcome.what.change == change) {
      return outcome;
    }
  }
  throw std::out_of_range("no such change: " + change);
}

std::vector<std::string> changes(const json& document) {
  const Scenario scenario = scenario_of(document);
  std::vector<std::string> names;
  for (const WhatIf& what : what_ifs(scenario, simulate(scenario))) {
    names.push_back(what.change);
  }
  return names;
}

TEST(WhatIfs, AreRankedByWhatTheySaveTheImpossibleLast) {
  const WhatIfStudy found = study();
  EXPECT_EQ(found.layers, kLayers);
  EXPECT_EQ(found.of_layers, 4U);
  EXPECT_FALSE(found.is_partial);
  double before = 1;
  bool is_possible = true;
  std::size_t refused = 0;
  for (const WhatIfOutcome& outcome : found.ranked) {
    if (!outcome.time_s) {
      is_possible = false;
      ++refused;
      EXPECT_FALSE(outcome.refusal.empty()) << outcome.what.change;
      continue;
    }
    EXPECT_TRUE(is_possible) << outcome.what.change << " comes after an impossible one";
    EXPECT_TRUE(outcome.refusal.empty()) << outcome.what.change;
    EXPECT_LE(outcome.gain, before) << outcome.what.change;
    EXPECT_DOUBLE_EQ(outcome.gain, 1 - *outcome.time_s / found.base_s);
    before = outcome.gain;
  }
  EXPECT_GT(refused, 0U);
  EXPECT_GT(found.ranked.front().gain, 0);
}

TEST(WhatIfs, SayWhyTheyCannotBeDone) {
  const WhatIfStudy found = study();
  EXPECT_THAT(outcome_of(found, "capacity reroute 1").refusal, HasSubstr("router logits"));
  EXPECT_THAT(outcome_of(found, "schedule tensor_gather").refusal,
              HasSubstr("parallel.tensor is 1"));
  const std::string text = what_if_text(found, TextStyle(false), /*all=*/true);
  EXPECT_THAT(text,
              AllOf(HasSubstr("each simulated on 2 of 4 layers"),
                    HasSubstr("not possible: schedule tensor_gather: "),
                    HasSubstr("parallel.tensor is 1")));
}

// Nothing is guessed: the scenario with the change, simulated by itself, takes the time that is
// shown.
TEST(WhatIfs, AreEachSimulatedAnew) {
  const WhatIfStudy found = study();
  const SimulationHooks hooks{.most_layers = kLayers, .threads = 1};
  EXPECT_EQ(found.base_s, *simulate(scenario_of(base_document()), hooks).total.step_s);
  for (const WhatIfOutcome& outcome : found.ranked) {
    json document = base_document();
    document.update(outcome.what.values);
    if (!outcome.time_s) {
      EXPECT_THROW((void)simulate(scenario_of(document), hooks), Error) << outcome.what.change;
      continue;
    }
    const SimulationResult again = simulate(scenario_of(document), hooks);
    EXPECT_EQ(*outcome.time_s, *again.total.step_s) << outcome.what.change;
    EXPECT_EQ(outcome.dropped_fraction, again.total.dropped_fraction) << outcome.what.change;
  }
}

TEST(WhatIfs, HoldEveryOtherComponentThatNeedsNoParameter) {
  const std::vector<std::string> names = changes(base_document());
  for (const char* change : {"placement eplb",
                             "all-to-all node_dedup",
                             "schedule sharded_experts",
                             "overlap two_batch",
                             "capacity drop 1.25",
                             "dispatch in fp8"}) {
    EXPECT_THAT(names, Contains(change));
  }
  for (const char* own : {"placement contiguous",
                          "all-to-all direct",
                          "schedule two_all_to_all",
                          "overlap none",
                          "capacity dropless",
                          "placement table"}) {  // the last one needs a file
    EXPECT_THAT(names, Not(Contains(own)));
  }
  json other = base_document();
  other["overlap"] = "two_batch";
  other["capacity"] = {{"name", "drop"}, {"factor", 1.25}};
  other["wire"] = {{"dispatch", "fp8"}};
  const std::vector<std::string> others = changes(other);
  EXPECT_THAT(others,
              AllOf(Contains("overlap none"),
                    Contains("capacity dropless"),
                    Contains("capacity drop 1"),
                    Not(Contains("capacity drop 1.25")),
                    Not(Contains("dispatch in fp8"))));
}

TEST(WhatIfs, DoubleTheBusiestLinkAndAllOfItsKind) {
  const Scenario scenario = scenario_of(base_document());
  const SimulationResult result = simulate(scenario);
  const std::string busiest =
      result.links[static_cast<std::size_t>(result.total.bottleneck_link)].name;
  std::size_t links = 0;
  for (const WhatIf& what : what_ifs(scenario, result)) {
    if (what.kind != "link") {
      continue;
    }
    ++links;
    bool has_busiest = false;
    for (const json& change : what.values["network"]["links"]) {
      EXPECT_EQ(change["bandwidth_factor"], 2);
      has_busiest = has_busiest || change["link"] == busiest;
    }
    EXPECT_TRUE(has_busiest) << what.change;
    EXPECT_GE(outcome_of(study(), what.change).gain, 0) << what.change;
  }
  EXPECT_EQ(links, 2U);
}

TEST(WhatIfs, DoNotDependOnTheNumberOfThreads) {
  EXPECT_EQ(what_if_json(study(base_document(), 1)).dump(),
            what_if_json(study(base_document(), 3)).dump());
}

}  // namespace
}  // namespace switchyard
