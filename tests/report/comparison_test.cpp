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
