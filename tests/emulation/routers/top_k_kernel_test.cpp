// The real kernel source in the emulator against the float64 judge, for the whole table of cases.
#include <gtest/gtest.h>

#include "tests/emulation/routers/top_k_runs.hpp"

namespace switchyard {
namespace {

class TopKKernel : public testing::TestWithParam<TopKCase> {};

TEST_P(TopKKernel, ChoosesAndWeighsLikeTheFloat64Judge) {
  const LogitBuffer logits = make_logits(GetParam());
  expect_judged_correct(GetParam(), logits, emulated_top_k(GetParam(), logits));
}

TEST_P(TopKKernel, GivesTheSameBitsUnderAnyScheduleAndPlan) {
  const LogitBuffer logits = make_logits(GetParam());
  const TopKResult expected = emulated_top_k(GetParam(), logits);
  const TopKResult shuffled = emulated_top_k(GetParam(), logits, {.schedule_seed = 11});
  expect_identical(expected, shuffled, "another schedule");
  const TopKResult spread = emulated_top_k(GetParam(), logits, {.multiprocessors = 0});
  expect_identical(expected, spread, "another plan");
}

INSTANTIATE_TEST_SUITE_P(AllCases,
                         TopKKernel,
                         testing::ValuesIn(top_k_cases()),
                         [](const auto& test) { return test.param.name(); });

}  // namespace
}  // namespace switchyard
