// A child that misbehaves must become an error with a reason, never a crash or a hang of ours.
#include "core/processes/child_process.hpp"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/networks/fabrics.hpp"
#include "tests/support/networks/run_network.hpp"

namespace switchyard {
namespace {

using testing::expect_error;

void run(const std::function<void()>& work, Seconds limit = Seconds{20}) {
  run_in_child(
      {.name = "the job", .work = work, .time_limit = limit, .time_limit_hint = "do less"});
}

TEST(ChildProcess, HandsResultsBackThroughSharedMemory) {
  const SharedDoubles shared(3);
  run([&] { shared.values()[2] = 42; });
  EXPECT_EQ(shared.values()[0], 0);
  EXPECT_EQ(shared.values()[2], 42);
  EXPECT_TRUE(SharedDoubles(0).values().empty());
}

TEST(ChildProcess, TurnsAnAbortIntoAnErrorWithTheCriticalLine) {
  expect_error<InternalError>(
      [] {
        run([] {
          std::fputs("[0.0] [net/CRITICAL] no route from a to b\nbacktrace\n  -> main\n", stderr);
          std::abort();
        });
      },
      "the job ended by signal 6 (Aborted): CRITICAL] no route from a to b");
}

TEST(ChildProcess, TurnsAnExceptionIntoAnError) {
  expect_error<InternalError>([] { run([] { throw std::runtime_error("bad value"); }); },
                              "the job failed: bad value");
}

TEST(ChildProcess, EndsWhatTakesTooLong) {
  expect_error<MissingCapability>([] { run([] { ::pause(); }, Seconds{0.05}); },
                                  "the job took longer than 50.0 ms\ndo less");
}

TEST(ChildProcess, LimitsSimgridToo) {
  Schedule schedule{.rank_count = 48};
  for (std::size_t source = 0; source < 48; ++source) {
    for (std::size_t destination = 0; destination < 48; ++destination) {
      schedule.add(source, destination, static_cast<std::int64_t>(1 + source * destination));
    }
  }
  expect_error<MissingCapability>(
      [&] {
        (void)testing::run_network(
            "simgrid", testing::star({.ranks = 48}), schedule, {.time_limit = Seconds{0.01}});
      },
      "SimGrid took longer than 10.0 ms");
}

}  // namespace
}  // namespace switchyard
