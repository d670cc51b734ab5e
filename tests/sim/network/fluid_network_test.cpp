// The fluid network's own promises: which mode runs when, and that neither threads nor windows
// change what they must not.
#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/networks/fabrics.hpp"
#include "tests/support/networks/random_problems.hpp"
#include "tests/support/networks/run_network.hpp"

namespace switchyard {
namespace {

using testing::run_network;

Timeline windowed(const Fabric& fabric, const Schedule& schedule, NetworkOptions options = {}) {
  options.exact_transfer_limit = 0;
  return run_network("fluid", fabric, schedule, options);
}

const testing::RandomProblem kProblem{.fabric = 1, .ranks = 24, .skew = 2, .seed = 11};

TEST(FluidNetwork, SaysWhichModeRan) {
  const Fabric fabric = testing::random_fabric(kProblem);
  const Schedule schedule = testing::random_exchange(kProblem);
  const Timeline exact = run_network("fluid", fabric, schedule);
  EXPECT_EQ(exact.mode, "exact");
  EXPECT_EQ(exact.window_epsilon, 0);
  const Timeline approximate = windowed(fabric, schedule, {.window_epsilon = 0.02});
  EXPECT_EQ(approximate.mode, "windowed");
  EXPECT_EQ(approximate.window_epsilon, 0.02);
}

TEST(FluidNetwork, WindowsKeepTheMakespanOfSkewedExchanges) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    for (int kind = 0; kind < 5; ++kind) {
      testing::RandomProblem problem = kProblem;
      problem.fabric = kind;
      problem.seed = seed;
      const Fabric fabric = testing::random_fabric(problem);
      const Schedule schedule = testing::random_exchange(problem);
      const double exact = run_network("fluid", fabric, schedule).makespan_s;
      // Documented error of the default window; small cases such as these are its worst.
      EXPECT_NEAR(windowed(fabric, schedule).makespan_s, exact, 0.005 * exact)
          << "fabric " << kind << " seed " << seed;
    }
  }
}

TEST(FluidNetwork, WindowsAreExactOnEvenTraffic) {
  const Fabric fabric = testing::star({.ranks = 40});
  Schedule schedule{.rank_count = 40};
  for (std::size_t source = 0; source < 40; ++source) {
    for (std::size_t step = 1; step < 40; ++step) {
      schedule.add(source, (source + step) % 40, 5000);
    }
  }
  const Timeline timeline = windowed(fabric, schedule);
  for (const double finish : timeline.finish_s) {
    EXPECT_NEAR(finish, 39 * 5e-6, 39 * 5e-6 * 1e-9);  // rounding
  }
}

TEST(FluidNetwork, WindowsHonourLateRanks) {
  const Fabric fabric = testing::random_fabric(kProblem);
  const Schedule schedule = testing::random_exchange(kProblem);
  NetworkOptions options;
  for (int rank = 0; rank < kProblem.ranks; ++rank) {
    options.start_offsets.emplace_back(rank % 5 * 100e-6);
  }
  const Timeline exact = run_network("fluid", fabric, schedule, options);
  const Timeline approximate = windowed(fabric, schedule, options);
  EXPECT_EQ(approximate.start_s, exact.start_s);
  EXPECT_NEAR(approximate.makespan_s, exact.makespan_s, 0.005 * exact.makespan_s);
  for (std::size_t i = 0; i < exact.finish_s.size(); ++i) {
    EXPECT_GT(approximate.finish_s[i], approximate.start_s[i]);
  }
}

TEST(FluidNetwork, WindowsSkipIdleTime) {
  const Fabric fabric = testing::star({.ranks = 4});
  const Timeline timeline =
      windowed(fabric,
               testing::schedule_of(4, {{0, 1, 1000}, {2, 3, 1000}}),
               {.start_offsets = {Seconds{0}, Seconds{0}, Seconds{1}, Seconds{0}}});
  EXPECT_NEAR(timeline.finish_s[0], 1e-6, 1e-15);
  EXPECT_NEAR(timeline.finish_s[1], 1 + 1e-6, 1e-15);
}

TEST(FluidNetwork, GivesTheSameBitsForAnyNumberOfThreads) {
  // Pairs of ranks on a star: many components.
  Schedule schedule{.rank_count = 32};
  for (std::size_t pair = 0; pair < 16; ++pair) {
    schedule.add(2 * pair, 2 * pair + 1, static_cast<std::int64_t>(1000 + 37 * pair));
    schedule.add(2 * pair + 1, 2 * pair, static_cast<std::int64_t>(3000 - 17 * pair));
  }
  const Fabric fabric = testing::star({.ranks = 32, .latency = Seconds{1e-6}});
  const Timeline one = run_network("fluid", fabric, schedule, {.threads = 1});
  for (const std::int32_t threads : {2, 5, 64}) {
    const Timeline many = run_network("fluid", fabric, schedule, {.threads = threads});
    EXPECT_EQ(many.finish_s, one.finish_s);
  }
}

TEST(FluidNetwork, PartsThatShareNoLinkDoNotAffectEachOther) {
  const Fabric fabric = testing::star({.ranks = 6});
  const Timeline alone = run_network("fluid", fabric, testing::schedule_of(6, {{0, 1, 7777}}));
  const Timeline both = run_network(
      "fluid", fabric, testing::schedule_of(6, {{0, 1, 7777}, {2, 3, 900}, {4, 3, 500}}));
  EXPECT_EQ(both.finish_s[0], alone.finish_s[0]);
}

TEST(FluidNetwork, RefusesAWindowThatHoldsEverything) {
  testing::expect_error<InvalidInput>(
      [] {
        (void)run_network("fluid",
                          testing::star({}),
                          testing::schedule_of(4, {{0, 1, 1000}}),
                          {.window_epsilon = 0.9});
      },
      "the window must hold");
}

}  // namespace
}  // namespace switchyard
