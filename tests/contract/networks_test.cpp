// What every network owes its callers, over the registry.
#include <cmath>

#include <gtest/gtest.h>

#include "sim/network/network.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/networks/fabrics.hpp"

namespace switchyard {
namespace {

using testing::expect_error;

class EveryNetwork : public ::testing::TestWithParam<std::string> {
 protected:
  static Timeline run(const Fabric& fabric,
                      const Schedule& schedule,
                      const NetworkOptions& options = {}) {
    Parameters defaults = Parameters::describing();
    return Registry<Network>::instance()
        .create(GetParam(), "network", defaults)
        ->simulate(fabric, schedule, options);
  }
};

Schedule uneven_exchange(std::size_t ranks) {
  Schedule schedule{.rank_count = ranks};
  for (std::size_t source = 0; source < ranks; ++source) {
    for (std::size_t step = 1; step < ranks; ++step) {
      const std::size_t destination = (source + step) % ranks;
      schedule.add(source,
                   destination,
                   static_cast<std::int64_t>(1000 * (1 + (7 * source + 5 * destination) % 11)));
    }
  }
  return schedule;
}

TEST_P(EveryNetwork, PricesNothingAtNothing) {
  const Fabric fabric = testing::star({.ranks = 3});
  const Timeline timeline = run(fabric, Schedule{.rank_count = 3});
  EXPECT_EQ(timeline.makespan_s, 0);
  EXPECT_EQ(timeline.lower_bound_s, 0);
  EXPECT_EQ(timeline.bottleneck_link, -1);
  EXPECT_EQ(timeline.rank_finish_s, std::vector<double>(3, 0.0));
  EXPECT_EQ(run(fabric, Schedule{.rank_count = 0}).makespan_s, 0);
  EXPECT_EQ(run(fabric, Schedule{.rank_count = 1}).makespan_s, 0);
}

TEST_P(EveryNetwork, NamesItselfAndFillsTheTimeline) {
  const Fabric fabric = testing::nodes({});
  const Schedule schedule = uneven_exchange(8);
  const Timeline timeline = run(fabric, schedule);
  const LinkLoads loads = link_loads(fabric, schedule, {});
  EXPECT_EQ(timeline.network, GetParam());
  EXPECT_FALSE(timeline.mode.empty());
  EXPECT_EQ(timeline.lower_bound_s, loads.lower_bound_s);
  EXPECT_EQ(timeline.bottleneck_link, loads.bottleneck_link);
  EXPECT_EQ(timeline.link_bytes, loads.bytes);
  EXPECT_EQ(timeline.rank_finish_s.size(), 8U);
  if (!timeline.finish_s.empty()) {
    ASSERT_EQ(timeline.finish_s.size(), schedule.transfer_count());
    ASSERT_EQ(timeline.start_s.size(), schedule.transfer_count());
    for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
      EXPECT_LT(timeline.start_s[i], timeline.finish_s[i]);
      EXPECT_LE(timeline.finish_s[i], timeline.makespan_s);
    }
  }
}

TEST_P(EveryNetwork, IsNeverFasterThanTheBound) {
  const Fabric fabric = testing::nodes({.is_uneven = true});
  const Schedule schedule = uneven_exchange(8);
  for (const double gap : {0.0, 1e-7}) {
    for (const double cap : {0.0, 2e9}) {
      for (const std::int32_t outstanding : {0, 1, 3}) {
        const NetworkOptions options{.launch_overhead = Seconds{3e-6},
                                     .message_overhead = Seconds{1e-7},
                                     .message_gap = Seconds{gap},
                                     .flow_rate_cap = {cap},
                                     .outstanding = outstanding};
        const Timeline timeline = run(fabric, schedule, options);
        // Rounding only: sums of some hundred terms.
        EXPECT_GE(timeline.makespan_s, timeline.lower_bound_s * (1 - 1e-12));
      }
    }
  }
}

TEST_P(EveryNetwork, IsAPureFunction) {
  const Fabric fabric = testing::nodes({.is_uneven = true});
  const Schedule schedule = uneven_exchange(8);
  const Timeline first = run(fabric, schedule);
  const Timeline second = run(fabric, schedule);
  EXPECT_EQ(first.finish_s, second.finish_s);
  EXPECT_EQ(first.makespan_s, second.makespan_s);
}

TEST_P(EveryNetwork, SaysWhatItCannotRun) {
  const Fabric fabric = testing::star({.ranks = 2});
  const Schedule schedule = uneven_exchange(2);
  expect_error<InvalidInput>([&] { (void)run(fabric, uneven_exchange(3)); },
                             "3 ranks do not fit on the 2 GPUs of \"star\"");
  expect_error<InvalidInput>(
      [&] { (void)run(fabric, schedule, {.link_changes = {{.link = "gpu0->swich"}}}); },
      "no link is called \"gpu0->swich\"\ndid you mean \"gpu0->switch\"?");
  expect_error<InvalidInput>(
      [&] {
        (void)run(
            fabric, schedule, {.link_changes = {{.link = "gpu0->switch", .bandwidth_factor = 0}}});
      },
      "traffic would cross the failed link \"gpu0->switch\"");
  expect_error<InvalidInput>([&] { (void)run(fabric, schedule, {.start_offsets = {Seconds{0}}}); },
                             "1 start offsets for 2 ranks");
  expect_error<InvalidInput>(
      [&] { (void)run(fabric, schedule, {.message_gap = Seconds{std::nan("")}}); },
      "the message gap");
  expect_error<InvalidInput>(
      [&] {
        (void)run(fabric,
                  schedule,
                  {.incast = {{.flows = 2, .efficiency = 0.5}, {.flows = 4, .efficiency = 0.6}}});
      },
      "breaks the curve");
}

INSTANTIATE_TEST_SUITE_P(Networks,
                         EveryNetwork,
                         ::testing::ValuesIn(Registry<Network>::instance().names()),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace switchyard
