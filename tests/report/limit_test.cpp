#include "report/limit.hpp"

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/small_result.hpp"

namespace switchyard {
namespace {

using testing::expect_error;
using testing::small_counts_result;
using testing::small_result;

bool breaks(const char* limit) {
  return !broken_limit(parse_limit(limit), small_result()).empty();
}

TEST(Limit, ComparesAnyStableKey) {
  EXPECT_TRUE(breaks("expert_imbalance > 1.5"));
  EXPECT_FALSE(breaks("expert_imbalance > 1.7"));
  EXPECT_TRUE(breaks("expert_imbalance>=1.7"));
  EXPECT_TRUE(breaks("rank_imbalance < 2"));
  EXPECT_FALSE(breaks("rank_imbalance <= 1.1"));
  EXPECT_TRUE(breaks("step_s > 0.01"));
}

TEST(Limit, TakesUnitsThatFitTheKey) {
  EXPECT_TRUE(breaks("step_s > 15ms"));
  EXPECT_FALSE(breaks("step_s > 17ms"));
  EXPECT_TRUE(breaks("inter_node_bytes > 3kB"));
}

TEST(Limit, ReadsPlainImbalanceAsTheLargerOfBoth) {
  EXPECT_TRUE(breaks("imbalance > 1.6"));
  EXPECT_FALSE(breaks("imbalance > 1.8"));
}

TEST(Limit, SaysWhichLimitBrokeAndTheValue) {
  EXPECT_EQ(broken_limit(parse_limit("expert_imbalance > 1.5"), small_result()),
            "limit broken: expert_imbalance > 1.5 (expert_imbalance is 1.7)");
}

TEST(Limit, SuggestsTheNearestKey) {
  expect_error<InvalidInput>([] { (void)parse_limit("exprt_imbalance > 1"); },
                             "did you mean \"expert_imbalance\"?");
}

TEST(Limit, RefusesWhatIsNoLimit) {
  expect_error<InvalidInput>([] { (void)parse_limit("step_s"); }, "is not a limit");
  expect_error<InvalidInput>([] { (void)parse_limit("rank_imbalance > lots"); },
                             "\"lots\" is not a number");
  EXPECT_THROW((void)parse_limit("step_s > 5 parsecs"), InvalidInput);
}

TEST(Limit, RefusesAMetricTheTraceDoesNotAllow) {
  expect_error<MissingCapability>(
      [] { (void)broken_limit(parse_limit("step_s > 1"), small_counts_result()); },
      "step_s cannot be computed from a trace of level L0");
}

}  // namespace
}  // namespace switchyard
