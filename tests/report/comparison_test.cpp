// Two runs side by side: sums, ratios, waiting, limits and the overlaid timeline.
#include "report/comparison/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files/json_file.hpp"
#include "core/files/sqlite.hpp"
#include "report/files/result_json.hpp"
#include "report/files/result_store.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/profiles.hpp"
#include "tests/support/small_result.hpp"
#include "tests/support/small_timeline.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;
using ::testing::HasSubstr;
using testing::small_result;
using testing::small_timeline;
using testing::TemporaryFolder;

ComparedRun measured(const EventTimeline& timeline) {
  return measured_run(timeline, PhaseRules::defaults(), "small");
}

ComparedRun simulated(const TemporaryFolder& folder) {
  const auto path = folder.path() / "run.sqlite";
  write_result_store(small_result(), path, true);
  return simulated_run(path);
}

// Measured dispatches of the small result's four ranks, each `length_ns` long.
EventTimeline measured_dispatches(std::int64_t length_ns) {
  EventTimeline timeline;
  for (std::uint16_t rank = 0; rank < 4; ++rank) {
    timeline.tables.processes.push_back({.rank = rank, .world_size = 4});
    for (int layer = 0; layer < 2; ++layer) {
      TimelineEvent event;
      event.start_ns = layer * 20'000'000;
      event.duration_ns = length_ns;
      event.device = rank;
      event.process = rank;
      event.name = timeline.intern("deep_ep::internode_ll::dispatch");
      timeline.add(event);
    }
  }
  return timeline;
}

const PhaseCell& cell(const ComparedRun& run, std::size_t rank, MoePhase phase) {
  return run.phases.at(rank)[static_cast<std::size_t>(phase)];
}

TEST(Comparison, MeasuredTimeIsSummedPerPhaseAndRank) {
  const ComparedRun run = measured(small_timeline());
  EXPECT_EQ(run.ranks, (std::vector<std::int32_t>{0, 1}));
  EXPECT_DOUBLE_EQ(cell(run, 0, MoePhase::Exchange).time_s, 4000e-9);
  EXPECT_DOUBLE_EQ(cell(run, 0, MoePhase::Exchange).wait_s, 100e-9);
  EXPECT_DOUBLE_EQ(cell(run, 1, MoePhase::Exchange).time_s, 3900e-9);
  EXPECT_DOUBLE_EQ(cell(run, 1, MoePhase::Exchange).wait_s, 0);
  EXPECT_DOUBLE_EQ(cell(run, 0, MoePhase::Exchange).bytes, 80);
  EXPECT_DOUBLE_EQ(run.mean(MoePhase::Exchange).time_s, 3950e-9);
}

TEST(Comparison, SimulatedWaitingBelongsToTheExchangeBehindIt) {
  const TemporaryFolder folder;
  const ComparedRun run = simulated(folder);
  EXPECT_TRUE(run.is_simulated);
  ASSERT_EQ(run.ranks.size(), 4U);
  // All that a rank does in a layer is dispatch, compute, combine and waiting for them.
  const SqliteDatabase database(folder.path() / "run.sqlite", SqliteDatabase::Mode::ReadOnly, {});
  SqliteStatement query(
      database, "SELECT sum(duration_s), sum(duration_s) FILTER (WHERE lane = 'wait') FROM event");
  ASSERT_TRUE(query.step());
  double time_s = 0;
  double wait_s = 0;
  for (std::size_t rank = 0; rank < 4; ++rank) {
    for (const MoePhase phase : {MoePhase::Dispatch, MoePhase::ExpertGemm, MoePhase::Combine}) {
      time_s += cell(run, rank, phase).time_s;
      wait_s += std::max(cell(run, rank, phase).wait_s, 0.0);
    }
  }
  EXPECT_NEAR(time_s, query.real(0), 1e-12);
  EXPECT_NEAR(wait_s, query.real(1), 1e-12);
}

TEST(Comparison, SimulatedBytesAreMeansOverRanks) {
  const TemporaryFolder folder;
  const ComparedRun run = simulated(folder);
  double dispatched = 0;
  for (const LayerResult& layer : small_result().layers) {
    for (const PhaseResult& phase : layer.phases) {
      dispatched += phase.lane == Lane::Dispatch ? phase.bytes : 0;
    }
  }
  ASSERT_GT(dispatched, 0);
  EXPECT_DOUBLE_EQ(run.mean(MoePhase::Dispatch).bytes, dispatched / 4);
  EXPECT_EQ(run.mean(MoePhase::ExpertGemm).bytes, -1);
  const EventTimeline other = measured_dispatches(1'000);
  const json document = comparison_to_json(run, measured(other));
  EXPECT_DOUBLE_EQ(document["phases"]["dispatch"]["a"]["bytes"].get<double>(), dispatched / 4);
  EXPECT_TRUE(document["a"]["ranks"][0]["phases"]["dispatch"]["bytes"].is_null());
}

// Phases beside the experts' are no expert GEMM, and other collectives keep their own waiting.
TEST(Comparison, OtherPhasesOfALayerAreOther) {
  const TemporaryFolder folder;
  SimulationResult result = small_result();
  result.layers[0].phases[1].name = "attention";
  result.layers[0].phases[2].lane = Lane::Collective;
  const auto path = folder.path() / "other.sqlite";
  write_result_store(result, path, true);
  const ComparedRun run = simulated_run(path);
  EXPECT_EQ(run.mean(MoePhase::ExpertGemm).count, 1);
  EXPECT_EQ(run.mean(MoePhase::Combine).count, 1);
  EXPECT_EQ(run.mean(MoePhase::Other).count, 2);
  EXPECT_GE(run.mean(MoePhase::Other).wait_s, 0);
  EXPECT_THAT(run.intervals[2].name, ::testing::StartsWith("attention L"));
}

// Of two steps, the second is drawn where the replay put it: behind the first.
TEST(Comparison, StepsFollowOneAnother) {
  const TemporaryFolder folder;
  SimulationResult result = small_result();
  result.layers[1].step = 1;
  const auto path = folder.path() / "steps.sqlite";
  write_result_store(result, path, true);
  const auto ends_of = [](const ComparedRun& run) {
    std::int64_t last = 0;
    for (const RunInterval& interval : run.intervals) {
      last = std::max(last, interval.start_ns + interval.duration_ns);
    }
    return last;
  };
  EXPECT_EQ(ends_of(simulated_run(path)), ends_of(simulated(folder)));
}

SimulationResult calibrated_result() {
  SimulationResult result = small_result();
  result.expected_errors = {{.phase = "dispatch",
                             .calibration = "h100.json",
                             .model = "low_latency",
                             .hardware = "H100",
                             .median = 0.024,
                             .p95 = 0.082,
                             .rows = 132,
                             .is_held_out = true}};
  result.outside_calibration = {"ranks 4 (fitted 8 to 8)"};
  return result;
}

TEST(Comparison, TheExpectedErrorStandsBesideTheSimulatedTimes) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "calibrated.sqlite";
  write_result_store(calibrated_result(), path, true);
  const ComparedRun stored = simulated_run(path);
  const ComparedRun printed = simulated_run(json(result_to_json(calibrated_result())), "run.json");
  const ComparedRun other = measured(measured_dispatches(1'000));
  for (const ComparedRun& run : {stored, printed}) {
    ASSERT_NE(run.expected_error(MoePhase::Dispatch), nullptr);
    EXPECT_EQ(run.expected_error(MoePhase::Combine), nullptr) << "no constants were fitted for it";
    EXPECT_EQ(run.expected_error(MoePhase::ExpertGemm), nullptr);
    const std::string text = comparison_text(run, other, false);
    EXPECT_THAT(text,
                HasSubstr("dispatch          A   2.4 %        8.2 %  132 held out  h100.json"));
    EXPECT_THAT(text,
                HasSubstr("A: outside the calibration's range, the expected error does not "
                          "hold: ranks 4 (fitted 8 to 8)"));
    const json document = comparison_to_json(run, other);
    EXPECT_DOUBLE_EQ(document["a"]["expected_error"]["dispatch"]["median"].get<double>(), 0.024);
    EXPECT_EQ(document["a"]["expected_error"]["dispatch"]["calibration"], "h100.json");
    EXPECT_TRUE(document["b"]["expected_error"].is_null());
  }
}

TEST(Comparison, SaysThatAMeasuredTimeIsBeyondTheExpectedError) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "calibrated.sqlite";
  write_result_store(calibrated_result(), path, true);
  const ComparedRun run = simulated_run(path);
  const double per_call_s = run.mean(MoePhase::Dispatch).time_s / 2;
  const auto warnings_at = [&](double share, bool is_swapped) {
    const ComparedRun other = measured(measured_dispatches(std::llround(per_call_s * share * 1e9)));
    return is_swapped ? comparison_warnings(other, run) : comparison_warnings(run, other);
  };
  EXPECT_THAT(warnings_at(1.05, false), ::testing::IsEmpty());
  EXPECT_THAT(
      warnings_at(2, false),
      ::testing::ElementsAre("dispatch: the simulated time of a call is -50.0 % off the "
                             "measured one, where 95 % of the calibration's rows are within "
                             "8.2 %"));
  EXPECT_EQ(warnings_at(2, true), warnings_at(2, false)) << "whichever side is simulated";
}

TEST(Comparison, SaysThatNothingIsToBeExpectedWithoutCalibration) {
  const TemporaryFolder folder;
  EXPECT_THAT(simulated(folder).notes,
              ::testing::ElementsAre(HasSubstr("simulated without calibration")));
  EXPECT_TRUE(
      comparison_to_json(simulated(folder), simulated(folder))["a"]["expected_error"].is_null());
}

TEST(Comparison, ResultsOfOtherHandsAreRefusedInWords) {
  json document = result_to_json(calibrated_result());
  document["expected_error"]["phases"][0]["median"] = "small";
  expect_error<InvalidInput>([&] { (void)simulated_run(document, "run.json"); },
                             "run.json#/expected_error: its expected_error is not what simulate "
                             "--json writes");
}

TEST(Comparison, TheOverlayCountsWhatItLeavesOut) {
  const TemporaryFolder folder;
  EventTimeline crowded;
  crowded.tables.processes.push_back({.rank = 0});
  for (int stream = 0; stream < 20; ++stream) {
    TimelineEvent event;
    event.duration_ns = 100;
    event.device = 0;
    event.stream = stream;
    event.name = crowded.intern("gemm");
    crowded.add(event);
  }
  const ComparedRun run = measured(crowded);
  EXPECT_EQ(write_overlay(run, run, folder.path() / "crowded.json", false), 8);
  EXPECT_EQ(write_overlay(simulated(folder), simulated(folder), folder.path() / "s.json", false),
            0);
}

TEST(Comparison, JsonDocumentsHaveNoRanks) {
  const ComparedRun run = simulated_run(json(result_to_json(small_result())), "run.json");
  EXPECT_EQ(run.ranks, std::vector<std::int32_t>{-1});
  EXPECT_NEAR(run.mean(MoePhase::Dispatch).time_s, *small_result().total.dispatch_s, 1e-15);
  expect_error<InvalidInput>([] { (void)simulated_run(json::array(), "x.json"); },
                             "x.json: is no result of simulate --json");
}

TEST(Comparison, RatiosAreBOverA) {
  EventTimeline slower = small_timeline();
  for (TimelineEvent& event : slower.events) {
    event.duration_ns *= 2;
  }
  const ComparedRun a = measured(small_timeline());
  const ComparedRun b = measured(slower);
  const auto ratios = compare_phases(a, b);
  ASSERT_FALSE(ratios.empty());
  EXPECT_EQ(ratios[0].phase, MoePhase::Exchange);
  EXPECT_DOUBLE_EQ(*ratios[0].time, 2);
  EXPECT_THAT(comparison_text(a, b, false), HasSubstr("2.00 x"));
  const json document = comparison_to_json(a, b);
  EXPECT_DOUBLE_EQ(document["phases"]["exchange"]["ratio"].get<double>(), 2);
  EXPECT_EQ(document["a"]["ranks"][1]["rank"].get<int>(), 1);
}

TEST(Comparison, UnequalNumbersOfCallsAreSaid) {
  EventTimeline twice = small_timeline();
  const auto once = twice.events;
  for (TimelineEvent event : once) {
    event.start_ns += 100'000;
    twice.events.push_back(event);
  }
  const std::string text = comparison_text(measured(small_timeline()), measured(twice), false);
  EXPECT_THAT(text, HasSubstr("exchange ran 1 times a rank in A and 2 in B"));
}

TEST(Comparison, LimitsNameTheirPhase) {
  const ComparedRun run = measured(small_timeline());
  const auto limit = [](const char* text) { return parse_limit(text, comparison_keys()); };
  EXPECT_EQ(broken_limit(limit("exchange.ratio > 1.1"), run, run), "");
  EXPECT_THAT(broken_limit(limit("exchange.a_s > 3us"), run, run),
              HasSubstr("limit broken: exchange.a_s > 3us"));
  expect_error<MissingCapability>([&] { (void)broken_limit(limit("gate.ratio > 1"), run, run); },
                                  "a run has no such phase");
  expect_error<InvalidInput>([&] { (void)limit("dispach.ratio > 1"); }, "dispatch.ratio");
}

TEST(Comparison, TheOverlayHoldsBothRunsWithoutOverlap) {
  const TemporaryFolder folder;
  const ComparedRun a = simulated(folder);
  const ComparedRun b = measured(small_timeline());
  const auto path = folder.path() / "both.json";
  write_overlay(a, b, path, false);
  const json document = read_json_file(path);
  std::map<std::pair<int, int>, std::int64_t> ends;
  std::map<int, int> counts;
  for (const json& event : document["traceEvents"]) {
    if (event["ph"] == "X") {
      const auto start = std::llround(event["ts"].get<double>() * 1000);
      auto& end = ends[{event["pid"].get<int>(), event["tid"].get<int>()}];
      EXPECT_GE(start, end);
      end = start + std::llround(event["dur"].get<double>() * 1000);
      counts[event["pid"].get<int>()] += 1;
    }
  }
  EXPECT_EQ(counts[1], std::count_if(a.intervals.begin(), a.intervals.end(), [](const auto& one) {
              return one.duration_ns > 0;
            }));
  EXPECT_EQ(counts[2], 4);
}

TEST(Comparison, OtherDatabasesAreRefused) {
  const TemporaryFolder folder;
  const auto path = testing::nsight_export(folder);
  expect_error<InvalidInput>([&path] { (void)simulated_run(path); },
                             "no result of switchyard: it has no table \"study\"");
}

}  // namespace
}  // namespace switchyard
