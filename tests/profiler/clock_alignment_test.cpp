// Clocks of ranks that were set apart on purpose come together again.
#include "profiler/clocks/clock_alignment.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard {
namespace {

constexpr std::int64_t kPeriod_ns = 1'000'000;
constexpr std::int64_t kTransfer_ns = 100'000;

// Forty all-to-alls, one a millisecond, which end together. Rank 1 begins each 30 us earlier, and
// its clock reads `offset + drift x time` too much, and `jump` more from call
// `jump_call` on.
struct Job {
  std::int64_t offset_ns = 0;
  double drift = 0;
  std::int64_t jump_ns = 0;
  int jump_call = 20;  // the first after the jump
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
        const std::int64_t jump = call >= job.jump_call ? job.jump_ns : 0;
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

// Rank 1's events are 40 to 79: the waits of the calls around the twentieth.
std::vector<std::int64_t> waits_of_calls(const EventTimeline& timeline, int first, int last) {
  const auto waits = waiting_times(timeline, align_clocks(timeline));
  return {waits.begin() + 40 + first, waits.begin() + 40 + last};
}

TEST(ClockAlignment, MendsAClockThatWasSetForward) {
  const EventTimeline timeline = record({.offset_ns = 1'000, .jump_ns = 3'000'000});
  expect_aligned(timeline, 0);
  const ClockAlignment alignment = align_clocks(timeline);
  ASSERT_EQ(alignment.clocks[1].jumps.size(), 1U);
  EXPECT_EQ(alignment.clocks[1].jumps[0].by_ns, 3'000'000);
  EXPECT_EQ(alignment.notes.at(0),
            "rank 1: its clock was set forward by 3000.0 us after 19101000 ns: mended, 20 events "
            "moved; 1 beside it may be off by as much and tell no waiting");
  EXPECT_EQ(alignment.notes.back(),
            "1 of 40 matched collectives tell no waiting: a clock is not reliable there, or they "
            "end at different times");
  // The call beside the jump is left open, on both ranks; all others are right.
  EXPECT_EQ(waits_of_calls(timeline, 18, 22),
            (std::vector<std::int64_t>{30'000, 30'000, -1, 30'000}));
  EXPECT_EQ(waiting_times(timeline, alignment).at(20), -1);
}

TEST(ClockAlignment, MendsAClockThatWasSetBackInAPause) {
  const EventTimeline timeline = record({.jump_ns = -300'000});
  expect_aligned(timeline, 0);
  EXPECT_THAT(align_clocks(timeline).notes.at(0),
              ::testing::HasSubstr("its clock was set back by 300.0 us"));
  EXPECT_EQ(waits_of_calls(timeline, 18, 22),
            (std::vector<std::int64_t>{30'000, 30'000, -1, 30'000}));
}

TEST(ClockAlignment, MendsAJumpBesideADrift) {
  const EventTimeline timeline = record({.drift = 40e-6, .jump_ns = 3'000'000});
  expect_aligned(timeline, 5);
  EXPECT_EQ(align_clocks(timeline).clocks[1].jumps.size(), 1U);
}

TEST(ClockAlignment, LeavesOpenWhatAClockSetBackHasMadeAmbiguous) {
  const EventTimeline timeline = record({.jump_ns = -5'000'000, .has_sequence = true});
  const ClockAlignment alignment = align_clocks(timeline);
  EXPECT_FALSE(alignment.clocks[1].is_reliable);
  EXPECT_THAT(
      alignment.notes.at(0),
      ::testing::HasSubstr("rank 1: its clock was set by -5000.0 us after 19100000 ns, over "
                           "times that it had recorded already: not mended"));
  const auto waits = waiting_times(timeline, alignment);
  EXPECT_THAT(waits, ::testing::Each(-1));
}

TEST(ClockAlignment, TrustsNoCallAfterAJumpTooLateToMend) {
  const EventTimeline timeline = record({.jump_ns = 3'000'000, .jump_call = 38});
  const ClockAlignment alignment = align_clocks(timeline);
  EXPECT_TRUE(alignment.clocks[1].jumps.empty());
  EXPECT_THAT(alignment.notes.back(), ::testing::HasSubstr("2 of 40 matched collectives"));
  EXPECT_EQ(waits_of_calls(timeline, 37, 40), (std::vector<std::int64_t>{30'000, -1, -1}));
}

// 40 ppm over a pause of ten seconds is 400 us, and no jump.
TEST(ClockAlignment, TakesNoPauseForAJump) {
  std::vector<CollectivePair> pairs;
  for (int call = 0; call < 40; ++call) {
    const std::int64_t end = call * kPeriod_ns + (call < 20 ? 0 : 10'000'000'000);
    const std::int64_t own = end + std::llround(40e-6 * static_cast<double>(end));
    pairs.push_back(
        {.own_start_ns = own - kTransfer_ns, .own_end_ns = own, .reference_end_ns = end});
  }
  const ProcessClock clock = fit_clock(pairs);
  EXPECT_TRUE(clock.jumps.empty());
  EXPECT_NEAR(clock.drift, -40e-6, 1e-7);
  EXPECT_LE(clock.largest_residual_ns, 2);
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
