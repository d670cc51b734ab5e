#include "sim/exchange/interchange.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/networks/run_network.hpp"

namespace switchyard {
namespace {

using testing::expect_error;
using testing::schedule_of;

TEST(HtsimConnectionMatrix, ListsEveryConnectionFromTheStart) {
  EXPECT_EQ(htsim_connection_matrix(schedule_of(3, {{0, 2, 1000}, {1, 0, 2000000}})),
            "Nodes 3\n"
            "Connections 2\n"
            "0->2 id 1 start 0 size 1000\n"
            "1->0 id 2 start 0 size 2000000\n");
}

TEST(HtsimConnectionMatrix, RefusesWhatItCannotSay) {
  expect_error<MissingCapability>(
      [] {
        (void)htsim_connection_matrix(schedule_of(2, {{0, 1, 5}, {1, 0, 5, {0}}}));
      },
      "cannot say what waits for what");
  expect_error<MissingCapability>(
      [] {
        (void)htsim_connection_matrix(schedule_of(2, {{0, 1, 3000000000}}));
      },
      "htsim cannot read a connection of 3000000000 bytes");
  Schedule windowed = schedule_of(2, {{0, 1, 5}});
  windowed.outstanding = 4;
  expect_error<MissingCapability>([&] { (void)htsim_connection_matrix(windowed); },
                                  "keeps 4 transfers in flight");
}

TEST(GoalText, PairsSendsAndReceivesAndSaysWhatWaits) {
  EXPECT_EQ(goal_text(schedule_of(3, {{0, 1, 100}, {1, 2, 70, {0}}, {0, 2, 30, {0}}})),
            "num_ranks 3\n"
            "\n"
            "rank 0 {\n"
            "s0: send 100b to 1 tag 0\n"
            "s2: send 30b to 2 tag 2\n"
            "s2 requires s0\n"
            "}\n"
            "\n"
            "rank 1 {\n"
            "r0: recv 100b from 0 tag 0\n"
            "s1: send 70b to 2 tag 1\n"
            "s1 requires r0\n"
            "}\n"
            "\n"
            "rank 2 {\n"
            "r1: recv 70b from 1 tag 1\n"
            "r2: recv 30b from 0 tag 2\n"
            "}\n");
}

TEST(GoalText, RefusesWaitsOfOtherRanks) {
  expect_error<MissingCapability>(
      [] {
        (void)goal_text(schedule_of(4, {{0, 1, 100}, {2, 3, 70, {0}}}));
      },
      "GOAL cannot say that transfer 1 of rank 2 waits for ranks 0 and 1");
}

}  // namespace
}  // namespace switchyard
