// Every layer schedule under every overlap, known or new: all tokens are computed, pieces add up to
// the whole, no step is shorter than its exchanges or its work, and threads change nothing.
#include <map>
#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "report/files/result_json.hpp"
#include "sim/replay/simulation.hpp"
#include "tests/support/small_trace.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::small_routing;
using Names = std::tuple<std::string, std::string>;

class EverySchedule : public ::testing::TestWithParam<Names> {
 protected:
  [[nodiscard]] static Scenario scenario(const std::string& overlap, const json& changes) {
    json document = {{"topology", "dgx_h100_8"},
                     {"model", {{"expert_hidden", 512}, {"shared_experts", 1}}},
                     {"network", "bound"},
                     {"compute", {{"attention_per_token", "3ns"}}},
                     {"parallel", {{"tensor", 4}}},
                     {"schedule", std::get<0>(GetParam())},
                     {"overlap", overlap}};
    document.merge_patch(changes);
    return load_scenario(
        document, {"test", "#"}, small_routing({.steps = 2, .layers = 3, .tokens_per_rank = 37}));
  }

  [[nodiscard]] static Scenario scenario(const json& changes = json::object()) {
    return scenario(std::get<1>(GetParam()), changes);
  }
};

// Bytes and arithmetic of a phase, over all its pieces.
std::map<std::string, double> bytes_by_phase(const SimulationResult& result) {
  std::map<std::string, double> bytes;
  for (const LayerResult& layer : result.layers) {
    for (const PhaseResult& phase : layer.phases) {
      bytes[phase.name] += phase.bytes;
    }
  }
  return bytes;
}

TEST_P(EverySchedule, MovesTheSameBytesWhateverTheOverlap) {
  for (const char* pass : {"forward", "training"}) {
    EXPECT_EQ(bytes_by_phase(simulate(scenario({{"pass", pass}}))),
              bytes_by_phase(simulate(scenario("none", {{"pass", pass}}))));
  }
}

TEST_P(EverySchedule, TakesNoLessThanItsExchangesAndItsWork) {
  for (const char* pass : {"forward", "backward", "training"}) {
    const SimulationResult result = simulate(scenario({{"pass", pass}}));
    double work = 0;  // of the busiest rank
    for (std::size_t rank = 0; rank < result.ranks; ++rank) {
      double of_rank = 0;
      for (const LayerResult& layer : result.layers) {
        of_rank += layer.rank_compute_s[rank];
      }
      work = std::max(work, of_rank);
    }
    // A last bit of rounding.
    EXPECT_GE(*result.total.layer_s, *result.total.lower_bound_s * (1 - 1e-12)) << pass;
    EXPECT_GE(*result.total.layer_s, work * (1 - 1e-12)) << pass;
  }
}

TEST_P(EverySchedule, NeverRunsTwoPhasesOfOneQueueAtOnce) {
  const SimulationResult result = simulate(scenario({{"pass", "training"}}));
  for (std::size_t rank = 0; rank < result.ranks; ++rank) {
    std::map<bool, std::vector<std::pair<double, double>>> queues;
    for (const LayerResult& layer : result.layers) {
      for (const PhaseResult& phase : layer.phases) {
        const bool is_work = phase.lane == Lane::Compute;
        queues[is_work].emplace_back(is_work ? phase.ready_s[rank] : phase.start_s,
                                     phase.finish_s[rank]);
      }
    }
    for (auto& [is_work, phases] : queues) {
      std::sort(phases.begin(), phases.end());
      for (std::size_t i = 1; i < phases.size(); ++i) {
        EXPECT_LE(phases[i - 1].second, phases[i].first + 1e-12) << "rank " << rank;
      }
    }
  }
}

TEST_P(EverySchedule, GivesTheSameBytesForAnyNumberOfThreads) {
  const Scenario one = scenario({{"pass", "training"}});
  const auto single = result_to_json(simulate(one, {.threads = 1})).dump();
  EXPECT_EQ(single, result_to_json(simulate(one, {.threads = 3})).dump());
}

TEST_P(EverySchedule, CostsMoreInTrainingThanForward) {
  EXPECT_GT(*simulate(scenario({{"pass", "training"}})).total.step_s,
            *simulate(scenario()).total.step_s);
}

std::string test_name(const ::testing::TestParamInfo<Names>& tested) {
  return std::get<0>(tested.param) + "_with_" + std::get<1>(tested.param);
}

INSTANTIATE_TEST_SUITE_P(
    LayerSchedules,
    EverySchedule,
    ::testing::Combine(::testing::ValuesIn(Registry<LayerSchedule>::instance().names()),
                       ::testing::ValuesIn(Registry<Overlap>::instance().names())),
    test_name);

class EveryOverlap : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryOverlap, CutsEachStageIntoSharesThatAddUp) {
  Parameters defaults(json::object(), {});
  const auto overlap = Registry<Overlap>::instance().create(GetParam(), "overlap", defaults);
  std::vector<Stage> stages;
  for (const StageKind kind : {StageKind::OtherWork,
                               StageKind::SharedExperts,
                               StageKind::Dispatch,
                               StageKind::Experts,
                               StageKind::Combine}) {
    stages.push_back({.name = "stage", .kind = kind, .schedule = {}, .work = {}});
  }
  for (const std::int64_t amount : {0LL, 1LL, 7LL, 1'000'003LL}) {
    std::vector<std::int64_t> sums(stages.size(), 0);
    const std::vector<PlannedPhase> phases = overlap->arrange(stages);
    for (std::size_t i = 0; i < phases.size(); ++i) {
      sums[phases[i].stage] += phases[i].share.of(amount);
      EXPECT_LT(phases[i].batch, overlap->batch_count());
      for (const std::size_t earlier : phases[i].after) {
        EXPECT_LT(earlier, i);
      }
    }
    EXPECT_EQ(sums, std::vector<std::int64_t>(stages.size(), amount));
  }
  EXPECT_TRUE(overlap->arrange({}).empty());
}

INSTANTIATE_TEST_SUITE_P(Overlaps,
                         EveryOverlap,
                         ::testing::ValuesIn(Registry<Overlap>::instance().names()),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace switchyard
