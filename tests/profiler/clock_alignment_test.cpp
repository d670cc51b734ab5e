// Clocks of ranks that were set apart on purpose come together again.
#include "profiler/clock_alignment.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard {
namespace {

constexpr std::int64_t kPeriod_ns = 1'000'000;
constexpr std::int64_t kTransfer_ns = 100'000;

// Forty all-to-alls, one a millisecond, which end together. Rank 1 begins each 30 us earlier, and
// its clock reads `offset + drift x time` too much, and `jump` more from the twentieth on.
struct Job {
  std::int64_t offset_ns = 0;
  double drift = 0;
  std::int64_t jump_ns = 0;
  bool has_sequence = false;
  int missing_call = -1;  // which rank 1 did not record
};

EventTimeline record(const Job& job) {
  EventTimeline timeline;
  for (std::int32_t rank = 0; rank < 2; ++rank) {
    timeline.tables.processes.push_back({.rank = rank, .world_size = 2});
  }
  for (std::uint16_t rank = 0; rank < 2; ++rank) {
    for (int call = 0; call < 40; ++call) {
      if (rank == 1 && call == job.missing_call) {
        continue;
      }
      const std::int64_t start = call * kPeriod_ns - 30'000 * rank;
      const std::int64_t end = call * kPeriod_ns + kTransfer_ns;
      const auto shown = [&](std::int64_t time) {
        const std::int64_t jump = call >= 20 ? job.jump_ns : 0;
        return rank == 0 ? time
                         : time + job.offset_ns + jump +
                               std::llround(job.drift * static_cast<double>(time));
      };
      CollectiveDetail detail;
      detail.operation = timeline.intern("all_to_all");
      detail.group = timeline.intern("0");
      detail.sequence = job.has_sequence ? call : -1;
      TimelineEvent event;
      event.start_ns = shown(start);
      event.duration_ns = shown(end) - event.start_ns;
      event.stream = 7;
      event.name = timeline.intern("ncclDevKernel_SendRecv");
      event.device = rank;
      event.process = rank;
      event.collective = timeline.add(detail);
      timeline.add(event);
    }
  }
  return timeline;
}

void expect_aligned(const EventTimeline& timeline, std::int64_t tolerance_ns) {
  const ClockAlignment alignment = align_clocks(timeline);
  ASSERT_FALSE(alignment.collectives.empty());
  EXPECT_TRUE(alignment.clocks[1].is_reliable);
  for (const MatchedCollective& collective : alignment.collectives) {
    const auto end = [&](std::size_t which) {
      const TimelineEvent& event = timeline.events[collective.events.at(which)];
      return alignment.clocks[event.process].corrected(event.end_ns());
    };
    EXPECT_LE(std::abs(end(0) - end(1)), tolerance_ns);
  }
}

TEST(ClockAlignment, FindsAnOffset) {
  const EventTimeline timeline = record({.offset_ns = 5'000'000'123});
  expect_aligned(timeline, 0);
  EXPECT_EQ(align_clocks(timeline).clocks[1].offset_ns, -5'000'000'123);
  EXPECT_EQ(align_clocks(timeline).clocks[1].drift, 0);
}

TEST(ClockAlignment, FindsADrift) {
  const EventTimeline timeline = record({.offset_ns = -7'000, .drift = 40e-6});
  expect_aligned(timeline, 5);
  EXPECT_NEAR(align_clocks(timeline).clocks[1].drift, -40e-6, 1e-7);
}

TEST(ClockAlignment, ReportsResiduals) {
  EventTimeline timeline = record({});
  timeline.events[10].duration_ns += 2'000;
  const ClockAlignment alignment = align_clocks(timeline);
  EXPECT_NEAR(alignment.clocks[1].largest_residual_ns, 2'000, 1);
  EXPECT_EQ(alignment.clocks[1].median_residual_ns, 0);
  EXPECT_THAT(alignment.notes.at(0),
              ::testing::HasSubstr("from 40 collectives; residual 0.0 us median, 2.0 us largest"));
}

TEST(ClockAlignment, SaysThatAClockWasSet) {
  const EventTimeline timeline = record({.offset_ns = 1'000, .jump_ns = 3'000'000});
  const ClockAlignment alignment = align_clocks(timeline);
  EXPECT_NEAR(static_cast<double>(alignment.clocks[1].jump_ns), 3e6, 1);
  EXPECT_THAT(alignment.notes.at(0), ::testing::HasSubstr("rank 1: its clock jumps by 3000.0 us"));
  EXPECT_EQ(waiting_times(timeline, alignment).at(45), -1);
}

TEST(ClockAlignment, TellsWhoWaited) {
  const EventTimeline timeline = record({.offset_ns = 999'999});
  const auto waits = waiting_times(timeline, align_clocks(timeline));
  EXPECT_EQ(waits.at(3), 0);
  EXPECT_EQ(waits.at(43), 30'000);
}

TEST(ClockAlignment, MatchesBySequenceWhereACallIsMissing) {
  expect_aligned(record({.offset_ns = 500, .has_sequence = true, .missing_call = 3}), 0);
}

TEST(ClockAlignment, DoesNotGuessWhereCallsAreMissing) {
  const ClockAlignment alignment = align_clocks(record({.missing_call = 3}));
  EXPECT_TRUE(alignment.collectives.empty());
  EXPECT_FALSE(alignment.clocks[1].is_aligned);
  EXPECT_THAT(alignment.notes,
              ::testing::ElementsAre(
                  ::testing::HasSubstr("different numbers of calls, without sequence numbers"),
                  ::testing::HasSubstr("rank 1: no collective matches")));
}

TEST(ClockAlignment, TrustsNoMatchThatDoesNotFit) {
  EventTimeline timeline = record({});
  for (std::size_t i = 40; i < 80; ++i) {
    timeline.events[i].start_ns += i % 2 == 0 ? 50'000 : -50'000;
  }
  const ClockAlignment alignment = align_clocks(timeline);
  EXPECT_FALSE(alignment.clocks[1].is_reliable);
  EXPECT_THAT(alignment.notes.at(0), ::testing::HasSubstr("too much to tell its waiting"));
}

}  // namespace
}  // namespace switchyard
