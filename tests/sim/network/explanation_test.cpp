#include "sim/network/explanation.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/networks/fabrics.hpp"
#include "tests/support/networks/run_network.hpp"

namespace switchyard {
namespace {

using testing::run_network;
using testing::schedule_of;

constexpr double kRounding = 1e-7;  // route tables keep latencies in single precision

std::unique_ptr<Network> simgrid() {
  Parameters defaults = Parameters::describing();
  return Registry<Network>::instance().create("simgrid", "network", defaults);
}

std::size_t link_called(const Fabric& fabric, const std::string& name) {
  return fabric.find_link(name)->index();
}

TEST(LinkUtilisation, AddsUpToTheBytesOfEachLink) {
  const Fabric fabric = testing::nodes({.link_latency = Seconds{1e-6}, .is_uneven = true});
  const Schedule schedule =
      schedule_of(8, {{0, 5, 7000000}, {1, 5, 1000000}, {5, 2, 3000000, {1}}, {3, 0, 90000}});
  const NetworkOptions options{};
  const Timeline timeline = run_network("simgrid", fabric, schedule, options);
  const Matrix<double> use = link_utilisation({fabric, schedule, options, timeline}, 7);
  const std::vector<double> rates = link_rates(fabric, options);
  for (std::size_t link = 0; link < rates.size(); ++link) {
    const auto row = use.row(link);
    const double bytes =
        std::accumulate(row.begin(), row.end(), 0.0) * timeline.makespan_s / 7 * rates[link];
    EXPECT_NEAR(bytes, timeline.link_bytes[link], 1e-9 * 8e6) << fabric.links()[link].name;
  }
}

TEST(LinkUtilisation, ShowsWhenALinkWasBusy) {
  const Fabric fabric = testing::star({.ranks = 3});
  const Schedule schedule = schedule_of(3, {{0, 1, 1000}, {1, 2, 1000, {0}}});
  const Timeline timeline = run_network("simgrid", fabric, schedule);
  const Matrix<double> use = link_utilisation({fabric, schedule, {}, timeline}, 2);
  const auto first = use.row(link_called(fabric, "gpu0->switch"));
  EXPECT_NEAR(first[0], 1, kRounding);
  EXPECT_NEAR(first[1], 0, kRounding);
  const auto second = use.row(link_called(fabric, "switch->gpu2"));
  EXPECT_NEAR(second[0], 0, kRounding);
  EXPECT_NEAR(second[1], 1, kRounding);
}

TEST(LinkUtilisation, NeedsTransferTimes) {
  const Fabric fabric = testing::star({.ranks = 2});
  const Schedule schedule = schedule_of(2, {{0, 1, 1000}});
  const Timeline timeline = run_network("bound", fabric, schedule);
  testing::expect_error<MissingCapability>(
      [&] {
        (void)link_utilisation({fabric, schedule, {}, timeline}, 4);
      },
      "the network \"bound\" does not time transfers");
}

TEST(RankSplits, TellOwnBytesFromQueueingAndWaiting) {
  const Fabric fabric = testing::star({.ranks = 4});
  // Rank 3 receives 3000 bytes, 1000 from each; rank 0 also has 500 for rank 1.
  const Schedule schedule = schedule_of(4, {{0, 3, 1000}, {1, 3, 1000}, {2, 3, 1000}, {0, 1, 500}});
  const NetworkOptions options{
      .start_offsets = {Seconds{0}, Seconds{0}, Seconds{0}, Seconds{1e-6}}};
  const Timeline timeline = run_network("simgrid", fabric, schedule, options);
  const std::vector<RankSplit> splits = rank_splits({fabric, schedule, options, timeline});
  EXPECT_NEAR(timeline.makespan_s, 3e-6, 3e-6 * kRounding);
  EXPECT_NEAR(splits[0].transfer_s, 1.5e-6, 1e-6 * kRounding);
  EXPECT_NEAR(splits[0].queue_s, 1.5e-6, 1e-6 * kRounding);
  EXPECT_NEAR(splits[1].transfer_s, 1e-6, 1e-6 * kRounding);
  EXPECT_NEAR(splits[1].queue_s, 2e-6, 1e-6 * kRounding);
  EXPECT_NEAR(splits[3].transfer_s, 2e-6, 1e-6 * kRounding);  // entered a microsecond late
  for (std::size_t rank = 0; rank < 4; ++rank) {
    const RankSplit& split = splits[rank];
    EXPECT_NEAR(
        split.transfer_s + split.queue_s + split.wait_s, rank == 3 ? 2e-6 : 3e-6, 3e-6 * kRounding);
  }
}

TEST(ScheduleBounds, StandSideBySide) {
  // Two ranks on either side of one trunk that both pairs share.
  const Fabric fabric = testing::dumbbell({.trunks = 1});
  const Schedule schedule = schedule_of(4, {{0, 2, 1000}, {1, 3, 1000}, {2, 0, 4000, {0}}});
  const ScheduleBounds bounds = schedule_bounds(fabric, schedule, {});
  EXPECT_NEAR(bounds.busiest_link_s, 4e-6, 4e-6 * kRounding);
  EXPECT_NEAR(bounds.contention_free_s, 4e-6, 4e-6 * kRounding);
  EXPECT_NEAR(bounds.critical_path_s, 5e-6, 5e-6 * kRounding);
  EXPECT_EQ(bounds.critical_path, (std::vector<std::uint32_t>{0, 2}));
  const Schedule across = schedule_of(4, {{0, 2, 1000}, {1, 3, 1000}});
  EXPECT_NEAR(schedule_bounds(fabric, across, {}).busiest_link_s, 2e-6, 2e-6 * kRounding);
  EXPECT_NEAR(schedule_bounds(fabric, across, {}).contention_free_s, 1e-6, 1e-6 * kRounding);
}

TEST(ScheduleBounds, HoldForEveryTerm) {
  const Fabric fabric = testing::nodes({.link_latency = Seconds{1e-6}, .is_uneven = true});
  const Schedule schedule =
      schedule_of(8, {{0, 5, 70000}, {1, 5, 10000}, {5, 2, 30000, {1}}, {3, 0, 90000, {}, 3}});
  const NetworkOptions options{.launch_overhead = Seconds{2e-6},
                               .message_overhead = Seconds{1e-6},
                               .message_gap = Seconds{0.2e-6},
                               .flow_rate_cap = {20e9},
                               .outstanding = 1};
  const double makespan = run_network("simgrid", fabric, schedule, options).makespan_s;
  const ScheduleBounds bounds = schedule_bounds(fabric, schedule, options);
  EXPECT_LE(bounds.busiest_link_s, makespan * (1 + kRounding));
  EXPECT_LE(bounds.contention_free_s, makespan * (1 + kRounding));
  EXPECT_LE(bounds.critical_path_s, makespan * (1 + kRounding));
}

TEST(ReliefOptions, NameTheLinkThatHelpsMost) {
  const Fabric fabric = testing::dumbbell({.trunks = 1});
  const Schedule schedule = schedule_of(4, {{0, 2, 1000}, {1, 3, 1000}});
  const NetworkOptions options{
      .link_changes = {{.link = "left->trunk0", .background_load = {0.5e9}}}};
  const Timeline timeline = run_network("simgrid", fabric, schedule, options);
  EXPECT_NEAR(timeline.makespan_s, 4e-6, 4e-6 * kRounding);
  const std::vector<Relief> reliefs =
      relief_options(*simgrid(), {fabric, schedule, options, timeline}, 3);
  ASSERT_FALSE(reliefs.empty());
  EXPECT_EQ(reliefs[0].links, "left->trunk0");
  EXPECT_NEAR(reliefs[0].saved_s, 2e-6, 2e-6 * kRounding);  // 1 GB/s left for two
  EXPECT_TRUE(std::ranges::is_sorted(reliefs, std::greater<>(), &Relief::saved_s));
}

TEST(ReliefOptions, DoubleWholeClassesToo) {
  const Fabric fabric = testing::star({.ranks = 4});
  const Schedule schedule =
      schedule_of(4, {{0, 1, 1000}, {1, 2, 1000}, {2, 3, 1000}, {3, 0, 1000}});
  const Timeline timeline = run_network("simgrid", fabric, schedule);
  const std::vector<Relief> reliefs =
      relief_options(*simgrid(), {fabric, schedule, {}, timeline}, 2);
  ASSERT_EQ(reliefs.size(), 4U);
  for (const Relief& relief : reliefs) {
    // Up or down links alone do not help: the other side still limits.
    EXPECT_NEAR(relief.saved_s, 0, 1e-6 * kRounding);
  }
  EXPECT_TRUE(std::ranges::any_of(reliefs, [](const Relief& relief) {
    return relief.links == "gpu*->switch" && relief.link_count == 4;
  }));
}

}  // namespace
}  // namespace switchyard
