#include "report/summary.hpp"

#include <cmath>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/files/lanes.hpp"
#include "report/text_table.hpp"
#include "tests/support/small_result.hpp"

namespace switchyard {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::small_counts_result;
using testing::small_result;

void expect_fits(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(display_width(line), 80U) << line;
  }
}

TEST(Summary, NamesTheLinkTheRankTheExpertAndTheBound) {
  const std::string text = summary_text(small_result(), {});
  EXPECT_THAT(text,
              AllOf(HasSubstr("4 GPUs on 2 nodes of two_by_two"),
                    HasSubstr("16.0 ms"),
                    HasSubstr("gpu0->switch"),
                    HasSubstr("layer 2, expert 3"),
                    HasSubstr("rank 3"),
                    HasSubstr("2.00 x"),
                    HasSubstr("topology is uncalibrated")));
}

TEST(Summary, FitsEightyColumnsHoweverLongTheNames) {
  SimulationResult result = small_result();
  result.links[0].name = std::string(60, 'a') + "->" + std::string(60, 'b');
  result.notes = {std::string(30, 'x') + " " + std::string(60, 'y') + " " + std::string(20, 'z')};
  for (std::int64_t step = 3; step < 100; ++step) {
    result.layers.push_back(result.layers.back());
    result.layers.back().step = step;
  }
  result.total.steps = 98;
  expect_fits(summary_text(result, {.all_layers = true}));
  expect_fits(summary_text(small_counts_result(), {.all_layers = true}));
}

TEST(Summary, SaysWhatCountsCannotTell) {
  const std::string text = summary_text(small_counts_result(), {});
  EXPECT_THAT(text, AllOf(HasSubstr("unknown"), HasSubstr("level L0"), Not(HasSubstr("dispatch"))));
}

TEST(Summary, MarksPartialResults) {
  SimulationResult result = small_result();
  result.is_partial = true;
  EXPECT_THAT(summary_text(result, {}), HasSubstr("interrupted: only the first 2 layers finished"));
  result.layers.clear();
  EXPECT_NO_THROW((void)summary_text(result, {})) << "interrupted before the first layer";
}

TEST(Summary, UsesColourOnlyWhenAsked) {
  EXPECT_THAT(summary_text(small_result(), {}), Not(HasSubstr("\x1b[")));
  EXPECT_THAT(summary_text(small_result(), {.style = TextStyle(true)}), HasSubstr("\x1b[1m"));
}

TEST(Lanes, FollowEachRankThroughTheLayer) {
  std::vector<LaneInterval> rank0;
  for (const LaneInterval& interval : lane_intervals(small_result().layers[0])) {
    if (interval.rank == 0) {
      rank0.push_back(interval);
    }
  }
  // Rank 0 arrives at 0, rank 1 at 1 ms; rank 0 has its tokens 1 ms later and computes for 1 ms;
  // rank 1, which has its tokens last, computes until 5 ms.
  const std::vector<std::pair<Lane, double>> expected{{Lane::Wait, 0.001},
                                                      {Lane::Dispatch, 0.002},
                                                      {Lane::Compute, 0.003},
                                                      {Lane::Wait, 0.005},
                                                      {Lane::Combine, 0.007}};
  ASSERT_EQ(rank0.size(), expected.size());
  double previous = 0;
  for (std::size_t i = 0; i < rank0.size(); ++i) {
    EXPECT_EQ(rank0[i].lane, expected[i].first);
    EXPECT_EQ(rank0[i].start_s, previous);
    EXPECT_NEAR(rank0[i].finish_s, expected[i].second, 1e-15) << "rounding of a few additions";
    previous = rank0[i].finish_s;
  }
}

TEST(Progress, DrawsWhatIsDone) {
  EXPECT_EQ(progress_line("layers", 0.5, 10), "[#####.....]  50 %  layers");
  EXPECT_EQ(progress_line("layers", 7, 4), "[####] 100 %  layers");
  EXPECT_EQ(progress_line("layers", std::nan(""), 4), "[....]   0 %  layers");
}

TEST(TextTable, AlignsColumnsByWhatIsSeen) {
  TextTable table({{"name", TextTable::Align::Left}, {"time"}});
  table.add({"a", "1.50 µs"});
  table.add({"long name", "12 s"});
  EXPECT_EQ(table.text(), "  name          time\n  a          1.50 µs\n  long name     12 s\n");
  EXPECT_EQ(shortened("node12.gpu3->leaf17", 11), "node...af17");
}

}  // namespace
}  // namespace switchyard
