// Each realism term against its closed form, every network that times transfers.
// Tolerance 1e-10 relative: SimGrid is run at 1e-12 of a microsecond.
#include <gtest/gtest.h>

#include "tests/support/networks/fabrics.hpp"
#include "tests/support/networks/run_network.hpp"

namespace switchyard {
namespace {

using testing::run_network;
using testing::schedule_of;

constexpr double kRounding = 1e-10;

// A star of 1 GB/s: a thousand bytes take a microsecond.
class RealismTerms : public ::testing::TestWithParam<std::string> {
 protected:
  static Timeline run(const Schedule& schedule, const NetworkOptions& options) {
    return run_network(GetParam(),
                       testing::star({.ranks = schedule.rank_count, .latency = Seconds{0.1e-6}}),
                       schedule,
                       options);
  }

  static void expect_microseconds(const std::vector<double>& actual_s,
                                  const std::vector<double>& expected_us) {
    ASSERT_EQ(actual_s.size(), expected_us.size());
    for (std::size_t i = 0; i < expected_us.size(); ++i) {
      EXPECT_NEAR(actual_s[i] * 1e6, expected_us[i], expected_us[i] * kRounding)
          << "transfer " << i;
    }
  }
};

TEST_P(RealismTerms, LaunchOverheadDelaysEverything) {
  const Timeline timeline =
      run(schedule_of(3, {{0, 1, 1000}, {1, 2, 3000}}), {.launch_overhead = Seconds{5e-6}});
  expect_microseconds(timeline.start_s, {5, 5});
  expect_microseconds(timeline.finish_s, {6.2, 8.2});
  EXPECT_NEAR(timeline.lower_bound_s, 8.2e-6, 8.2e-6 * kRounding);
}

TEST_P(RealismTerms, MessageOverheadSpacesTheIssuesOfARank) {
  const Timeline timeline =
      run(schedule_of(4, {{0, 1, 1000}, {0, 2, 1000, {}, 3}, {0, 3, 1000}, {1, 0, 1000}}),
          {.message_overhead = Seconds{2e-6}});
  expect_microseconds(timeline.start_s, {0, 2, 8, 0});
  expect_microseconds(timeline.finish_s, {1.2, 3.2, 9.2, 1.2});
}

TEST_P(RealismTerms, GapOccupiesTheRouteOncePerMessage) {
  const Timeline alone =
      run(schedule_of(2, {{0, 1, 1000, {}, 4}}), {.message_gap = Seconds{0.5e-6}});
  expect_microseconds(alone.finish_s, {1 + 4 * 0.5 + 0.2});
  EXPECT_NEAR(alone.lower_bound_s, alone.makespan_s, 1e-6 * kRounding);
  const Timeline shared =
      run(schedule_of(3, {{0, 2, 1000}, {1, 2, 1000}}), {.message_gap = Seconds{0.25e-6}});
  expect_microseconds(shared.finish_s, {2 * 1.25 + 0.2, 2 * 1.25 + 0.2});
  EXPECT_EQ(shared.link_bytes[static_cast<std::size_t>(shared.bottleneck_link)], 2000);
}

TEST_P(RealismTerms, NoTransferBeatsTheCap) {
  const NetworkOptions options{.flow_rate_cap = {0.25e9}};
  const Timeline alone = run(schedule_of(2, {{0, 1, 1000}}), options);
  expect_microseconds(alone.finish_s, {4.2});
  EXPECT_NEAR(alone.lower_bound_s, 4.2e-6, 4.2e-6 * kRounding);
  // Five share 1 GB/s: 0.2 each, below the cap.
  const Timeline five =
      run(schedule_of(6, {{0, 5, 1000}, {1, 5, 1000}, {2, 5, 1000}, {3, 5, 1000}, {4, 5, 1000}}),
          options);
  expect_microseconds(five.finish_s, {5.2, 5.2, 5.2, 5.2, 5.2});
}

TEST_P(RealismTerms, AWindowRunsTransfersInBatches) {
  const Schedule schedule =
      schedule_of(6, {{0, 1, 1000}, {0, 2, 1000}, {0, 3, 1000}, {0, 4, 1000}, {0, 5, 1000}});
  const Timeline timeline = run(schedule, {.outstanding = 2});
  // Two at a time, each pair at half rate and held for its latency.
  expect_microseconds(timeline.start_s, {0, 0, 2.2, 2.2, 4.4});
  expect_microseconds(timeline.finish_s, {2.2, 2.2, 4.4, 4.4, 5.6});
  Schedule windowed = schedule;
  windowed.outstanding = 2;
  expect_microseconds(run(windowed, {}).finish_s, {2.2, 2.2, 4.4, 4.4, 5.6});
}

TEST_P(RealismTerms, ATransferThatIsNotReadyDoesNotHoldUpLaterOnes) {
  const Timeline timeline =
      run(schedule_of(3, {{1, 2, 3000}, {0, 1, 1000, {0}}, {0, 2, 1000}, {0, 1, 1000}}),
          {.outstanding = 1});
  // Transfer 2 shares rank 2's link with transfer 0; transfer 3 goes when 2 is done; then 1.
  expect_microseconds(timeline.start_s, {0, 4.2, 0, 2.2});
  EXPECT_NEAR(timeline.finish_s[0] * 1e6, 4.2, 4.2 * kRounding);
}

TEST_P(RealismTerms, DependenciesWaitForTheLastByteAndItsLatency) {
  const Timeline timeline =
      run(schedule_of(4, {{0, 1, 1000}, {2, 1, 500}, {1, 3, 2000, {0, 1}}}), {});
  expect_microseconds(timeline.finish_s, {1.7, 1.2, 3.9});
  EXPECT_NEAR(timeline.start_s[2] * 1e6, 1.7, 1.7 * kRounding);
}

TEST_P(RealismTerms, IncastCostsRateByTheNumberOfTransfers) {
  const NetworkOptions options{
      .incast = {{.flows = 2, .efficiency = 0.8}, {.flows = 3, .efficiency = 0.5}}};
  const Timeline timeline =
      run(schedule_of(4, {{0, 3, 1000}, {1, 3, 1000}, {2, 3, 3000}}), options);
  // Three at 0.5 / 3 until 1000 each are through (6 us), then one alone for 2000 bytes.
  expect_microseconds(timeline.finish_s, {6.2, 6.2, 8.2});
  const Timeline two = run(schedule_of(4, {{0, 3, 1000}, {1, 3, 1000}}), options);
  expect_microseconds(two.finish_s, {2.7, 2.7});
}

TEST_P(RealismTerms, ChangedLinksAreSlower) {
  const Schedule schedule = schedule_of(3, {{0, 1, 1000}, {2, 1, 1000}});
  expect_microseconds(
      run(schedule, {.link_changes = {{.link = "switch->gpu1", .bandwidth_factor = 0.5}}}).finish_s,
      {4.2, 4.2});
  expect_microseconds(
      run(schedule, {.link_changes = {{.link = "gpu0->switch", .background_load = {0.8e9}}}})
          .finish_s,
      {5.2, 1.45});
  // A failed link that nobody needs does no harm.
  expect_microseconds(
      run(schedule, {.link_changes = {{.link = "switch->gpu0", .bandwidth_factor = 0}}}).finish_s,
      {2.2, 2.2});
}

TEST_P(RealismTerms, LateRanksStartLate) {
  const Timeline timeline = run(schedule_of(3, {{0, 2, 2000}, {1, 2, 2000}}),
                                {.start_offsets = {Seconds{0}, Seconds{1e-6}, Seconds{9e-6}}});
  expect_microseconds(timeline.start_s, {0, 1});
  // 1000 bytes alone, then both at half rate until 0 is through, then 1 alone.
  expect_microseconds(timeline.finish_s, {3.2, 4.2});
  expect_microseconds(timeline.rank_finish_s, {3.2, 4.2, 9});
}

TEST_P(RealismTerms, DrawnStartsDelayTheirRank) {
  const NetworkOptions options{
      .start_spread = {.shape = SpreadShape::LogNormal, .scale = Seconds{5e-6}, .sigma = 0.3}};
  const std::vector<double> drawn = drawn_starts(options.start_spread, 4);
  const Timeline timeline = run(schedule_of(4, {{0, 1, 1000}, {2, 3, 2000}}), options);
  expect_microseconds(timeline.start_s, {drawn[0] * 1e6, drawn[2] * 1e6});
  expect_microseconds(timeline.finish_s, {drawn[0] * 1e6 + 1.2, drawn[2] * 1e6 + 2.2});
  EXPECT_NEAR(timeline.lower_bound_s, timeline.makespan_s, timeline.makespan_s * kRounding);
}

TEST_P(RealismTerms, CombineWithoutForgettingEachOther) {
  const Timeline timeline =
      run(schedule_of(4, {{0, 1, 1000}, {0, 2, 1000}, {0, 3, 1000}, {3, 0, 800, {2}, 2}}),
          {.launch_overhead = Seconds{1e-6},
           .message_overhead = Seconds{0.5e-6},
           .message_gap = Seconds{0.1e-6},
           .flow_rate_cap = {0.5e9},
           .outstanding = 1,
           .start_offsets = {Seconds{2e-6}, Seconds{0}, Seconds{0}, Seconds{0}}});
  // Each: 1000 + 100 gap bytes at the cap, 2.2 us, and 0.2 us of latency.
  expect_microseconds(timeline.start_s, {3, 5.4, 7.8, 10.2});
  expect_microseconds(timeline.finish_s, {5.4, 7.8, 10.2, 10.2 + 2.0 + 0.2});
}

INSTANTIATE_TEST_SUITE_P(Networks,
                         RealismTerms,
                         ::testing::ValuesIn(testing::exact_networks()),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace switchyard
