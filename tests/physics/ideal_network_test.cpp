// Does time obey the closed form? An ideal network, every network that times transfers.
// Tolerance 1e-9 relative: rounding, and SimGrid's own precision of 1e-12.
#include <numeric>

#include <gtest/gtest.h>

#include "core/numbers/random.hpp"
#include "tests/support/networks/fabrics.hpp"
#include "tests/support/networks/max_min.hpp"
#include "tests/support/networks/run_network.hpp"

namespace switchyard {
namespace {

using testing::run_network;
using testing::schedule_of;
using testing::Sent;

constexpr double kIdealRounding = 1e-9;

class IdealNetwork : public ::testing::TestWithParam<std::string> {
 protected:
  static Timeline run(const Fabric& fabric, const Schedule& schedule) {
    return run_network(GetParam(), fabric, schedule);
  }

  static void expect_all_finish_at(const Timeline& timeline, double time) {
    for (const double finish : timeline.finish_s) {
      EXPECT_NEAR(finish, time, time * kIdealRounding);
    }
    EXPECT_NEAR(timeline.makespan_s, time, time * kIdealRounding);
    EXPECT_NEAR(timeline.lower_bound_s, time, time * kIdealRounding);
  }
};

/// Every rank sends `block` bytes to every other.
Schedule uniform(std::size_t ranks, std::int64_t block) {
  Schedule schedule{.rank_count = ranks};
  for (std::size_t source = 0; source < ranks; ++source) {
    for (std::size_t step = 1; step < ranks; ++step) {
      schedule.add(source, (source + step) % ranks, block);
    }
  }
  return schedule;
}

Schedule skewed(std::size_t ranks, std::uint64_t seed) {
  RandomStream random(seed, {ranks});
  Schedule schedule{.rank_count = ranks};
  for (std::size_t source = 0; source < ranks; ++source) {
    for (std::size_t step = 1; step < ranks; ++step) {
      schedule.add(source,
                   (source + step) % ranks,
                   static_cast<std::int64_t>(random.index(5) * (1 + random.index(200000))));
    }
  }
  return schedule;
}

TEST_P(IdealNetwork, OneTransferTakesLatencyPlusBytesOverRate) {
  const Fabric fabric = testing::star({.rate = {1e9}, .latency = Seconds{1e-6}});
  expect_all_finish_at(run(fabric, schedule_of(4, {{0, 1, 1000000}})), 1e-3 + 2e-6);
}

TEST_P(IdealNetwork, ManyToOneShareTheReceiver) {
  const Fabric fabric = testing::star({.ranks = 6});
  expect_all_finish_at(
      run(fabric,
          schedule_of(6, {{0, 5, 1000}, {1, 5, 1000}, {2, 5, 1000}, {3, 5, 1000}, {4, 5, 1000}})),
      5 * 1e-6);
}

TEST_P(IdealNetwork, OneToManyShareTheSender) {
  const Fabric fabric = testing::star({.ranks = 4});
  expect_all_finish_at(run(fabric, schedule_of(4, {{2, 0, 4000}, {2, 1, 4000}, {2, 3, 4000}})),
                       12e-6);
}

TEST_P(IdealNetwork, ShortTransfersLeaveTheirShareToLongerOnes) {
  const Fabric fabric = testing::star({.ranks = 4});
  const Timeline timeline = run(fabric, schedule_of(4, {{0, 3, 3000}, {1, 3, 1000}, {2, 3, 2000}}));
  EXPECT_NEAR(timeline.finish_s[1], 3e-6, 3e-6 * kIdealRounding);  // 1000 at a third
  EXPECT_NEAR(timeline.finish_s[2], 5e-6, 5e-6 * kIdealRounding);  // 1000 more at a half
  EXPECT_NEAR(timeline.finish_s[0], 6e-6, 6e-6 * kIdealRounding);  // the last 1000 alone
}

TEST_P(IdealNetwork, UniformAllToAllTakesAllBlocksButOne) {
  for (const std::size_t ranks : {2U, 3U, 8U, 17U}) {
    expect_all_finish_at(run(testing::star({.ranks = ranks}), uniform(ranks, 10000)),
                         static_cast<double>(ranks - 1) * 1e-5);
  }
}

TEST_P(IdealNetwork, APermutationRunsAtFullRate) {
  const Fabric fabric = testing::star({.ranks = 5});
  expect_all_finish_at(
      run(fabric,
          schedule_of(5, {{0, 3, 7000}, {1, 4, 7000}, {2, 0, 7000}, {3, 1, 7000}, {4, 2, 7000}})),
      7e-6);
}

TEST_P(IdealNetwork, RoundsOfPairsPayTheLatencyEachTime) {
  const Fabric fabric = testing::star({.ranks = 4, .latency = Seconds{0.5e-6}});
  std::vector<Sent> sent;
  for (std::uint32_t round = 0; round < 3; ++round) {
    for (std::size_t rank = 0; rank < 4; ++rank) {
      Sent one{rank, (rank + round + 1) % 4, 2000};
      if (round > 0) {
        for (std::uint32_t other = 0; other < 4; ++other) {
          one.after.push_back((round - 1) * 4 + other);
        }
      }
      sent.push_back(one);
    }
  }
  const Timeline timeline = run(fabric, schedule_of(4, sent));
  EXPECT_NEAR(timeline.makespan_s, 3 * (2e-6 + 1e-6), 9e-6 * kIdealRounding);
}

TEST_P(IdealNetwork, LatencyDoesNotChangeTheShares) {
  // CM02 on its own would give the nearer sender three times the rate.
  Fabric::Parts parts{.name = "uneven latency"};
  for (const char* name : {"near", "far", "sink"}) {
    parts.devices.push_back({.name = name, .kind = DeviceKind::Gpu, .node = NodeId(0)});
  }
  parts.devices.push_back({.name = "switch", .kind = DeviceKind::Switch});
  const double latencies[] = {1e-6, 3e-6, 0};
  for (std::int32_t gpu = 0; gpu < 3; ++gpu) {
    for (const bool is_up : {true, false}) {
      const DeviceId from = is_up ? DeviceId(gpu) : DeviceId(3);
      const DeviceId to = is_up ? DeviceId(3) : DeviceId(gpu);
      parts.links.push_back({.name = std::to_string(gpu) + (is_up ? "up" : "down"),
                             .from = from,
                             .to = to,
                             .bandwidth = {1e9},
                             .latency = Seconds{latencies[gpu]}});
    }
  }
  const Timeline timeline =
      run(Fabric(std::move(parts)), schedule_of(3, {{0, 2, 1000000}, {1, 2, 1000000}}));
  EXPECT_NEAR(timeline.finish_s[0], 2e-3 + 1e-6, 2e-3 * kIdealRounding);
  EXPECT_NEAR(timeline.finish_s[1], 2e-3 + 3e-6, 2e-3 * kIdealRounding);
}

TEST_P(IdealNetwork, SpreadPathsAddUp) {
  const Schedule across = schedule_of(4, {{0, 2, 1000000}, {1, 3, 1000000}});
  const auto makespan = [&](PathPolicy policy) {
    return run(testing::dumbbell({.trunk_rate = {0.25e9}, .policy = policy}), across).makespan_s;
  };
  EXPECT_NEAR(makespan(PathPolicy::Spread), 4e-3, 4e-3 * kIdealRounding);
  EXPECT_GE(makespan(PathPolicy::Hashed), 4e-3 * (1 - kIdealRounding));
}

TEST_P(IdealNetwork, ScalingBytesAndRatesChangesNothing) {
  const Timeline plain =
      run(testing::nodes({.nvlink_rate = {400e6}, .nic_rate = {50e6}}), skewed(8, 3));
  Schedule larger = skewed(8, 3);
  for (std::int64_t& bytes : larger.bytes) {
    bytes *= 1000;
  }
  const Timeline scaled = run(testing::nodes({.nvlink_rate = {400e9}, .nic_rate = {50e9}}), larger);
  for (std::size_t i = 0; i < plain.finish_s.size(); ++i) {
    EXPECT_NEAR(scaled.finish_s[i], plain.finish_s[i], plain.finish_s[i] * kIdealRounding);
  }
}

TEST_P(IdealNetwork, TwiceTheRateEverywhereTakesHalfTheTime) {
  const Schedule schedule = skewed(8, 4);
  const double slow =
      run(testing::nodes({.nvlink_rate = {400e9}, .nic_rate = {50e9}}), schedule).makespan_s;
  const double fast =
      run(testing::nodes({.nvlink_rate = {800e9}, .nic_rate = {100e9}}), schedule).makespan_s;
  EXPECT_NEAR(fast, slow / 2, slow * kIdealRounding);
}

TEST_P(IdealNetwork, MatchesProgressiveFillingTransferByTransfer) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    for (const bool is_uneven : {false, true}) {
      const Fabric fabric = testing::nodes(
          {.gpus_per_node = {2, 4, 3}, .link_latency = Seconds{0.3e-6}, .is_uneven = is_uneven});
      const Schedule schedule = skewed(9, seed);
      const std::vector<double> expected = testing::fair_finish_times(fabric, schedule);
      const Timeline timeline = run(fabric, schedule);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        // The oracle itself subtracts some hundred steps from each size.
        EXPECT_NEAR(timeline.finish_s[i], expected[i], expected[i] * 1e-8);
      }
      EXPECT_GE(timeline.makespan_s, timeline.lower_bound_s * (1 - kIdealRounding));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Networks,
                         IdealNetwork,
                         ::testing::ValuesIn(testing::exact_networks()),
                         [](const auto& param) { return param.param; });

TEST(ProgressiveFilling, HoldsItsOptimalityCertificate) {
  const Fabric fabric = testing::nodes({.gpus_per_node = {2, 4, 3}, .is_uneven = true});
  const Schedule schedule = skewed(9, 5);
  std::vector<std::size_t> alive(schedule.transfer_count());
  std::iota(alive.begin(), alive.end(), std::size_t{0});
  std::vector<double> rates = testing::fair_rates(fabric, schedule, alive);
  EXPECT_TRUE(testing::is_max_min_fair(fabric, schedule, alive, rates, 1e-12));
  rates[0] *= 0.9;
  EXPECT_FALSE(testing::is_max_min_fair(fabric, schedule, alive, rates, 1e-12));
}

}  // namespace
}  // namespace switchyard
