#include "traces/rank_assignment.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/small_traces.hpp"
#include "traces/expert_load.hpp"

namespace switchyard {
namespace {

using testing::expect_error;
using testing::random_trace;
using testing::RandomTraceShape;
using testing::small_trace;

using Ranks = std::vector<std::int32_t>;

Ranks ranks_of_layer(const RoutingTrace& trace, RankRule rule, std::size_t ranks) {
  return RankAssignment(trace, rule, ranks).ranks_of(trace.step_layers()[0], 0);
}

TEST(RankAssignment, CutsContiguousRunsThatDifferByAtMostOne) {
  RandomTraceShape shape;
  shape.tokens = 8;
  const RoutingTrace trace = random_trace(shape, 1);
  EXPECT_EQ(ranks_of_layer(trace, RankRule::Contiguous, 3), (Ranks{0, 0, 0, 1, 1, 1, 2, 2}));
}

TEST(RankAssignment, DealsRoundRobin) {
  EXPECT_EQ(ranks_of_layer(small_trace(), RankRule::RoundRobin, 2), (Ranks{0, 1, 0}));
}

TEST(RankAssignment, KeepsSequencesTogether) {
  EXPECT_EQ(ranks_of_layer(small_trace(), RankRule::BySequence, 2), (Ranks{0, 0, 1}));
}

TEST(RankAssignment, CountsRowsAcrossRecordedChunks) {
  RandomTraceShape shape;
  shape.ranks = 2;
  shape.tokens = 3;
  const RoutingTrace trace = random_trace(shape, 1);
  const RankAssignment assignment(trace, RankRule::RoundRobin, 2);
  EXPECT_EQ(assignment.ranks_of(trace.step_layers()[0], 1), (Ranks{1, 0, 1}));
  const RankAssignment recorded(trace, RankRule::Recorded, 2);
  EXPECT_EQ(recorded.ranks_of(trace.step_layers()[0], 1), (Ranks{1, 1, 1}));
}

TEST(RankAssignment, NeverGuesses) {
  expect_error<InvalidInput>([] { (void)ranks_of_layer(small_trace(), RankRule::Recorded, 2); },
                             "--assign-ranks");
  RandomTraceShape shape;
  shape.ranks = 3;
  shape.has_sequences = false;
  const RoutingTrace trace = random_trace(shape, 1);
  expect_error<InvalidInput>([&trace] { (void)ranks_of_layer(trace, RankRule::Recorded, 2); },
                             "tokens of 3 ranks");
  expect_error<InvalidInput>([&trace] { (void)ranks_of_layer(trace, RankRule::BySequence, 2); },
                             "names no sequences");
  expect_error<InvalidInput>([] { (void)parse_rank_rule("round_robbin"); },
                             "did you mean \"round_robin\"?");
}

TEST(RankAssignment, WritesTheRuleIntoTheTrace) {
  const RoutingTrace trace = with_ranks(small_trace(), RankRule::RoundRobin, 2);
  EXPECT_EQ(trace.metadata().rank_assignment, "round_robin over 2 ranks");
  EXPECT_EQ(trace.source_rank_count(), 2U);
  const TraceColumns first = copy_rows(trace, trace.chunks()[0]);
  EXPECT_EQ(first.expert_ids, (std::vector<std::int32_t>{0, 1, 3, kNoExpert}));
  EXPECT_EQ(first.gate_weights, (std::vector<float>{0.5F, 0.5F, 1, 0}));
  EXPECT_EQ(first.sequence_ids, (std::vector<std::int64_t>{7, 9}));
}

RC_GTEST_PROP(RankAssignment, NeitherLosesNorInventsSelections, ()) {
  RandomTraceShape shape;
  shape.ranks = *rc::gen::inRange<std::int64_t>(0, 3);
  shape.tokens = *rc::gen::inRange<std::int64_t>(1, 20);
  const RoutingTrace trace = random_trace(shape, *rc::gen::arbitrary<std::uint64_t>());
  const auto rule =
      *rc::gen::element(RankRule::Contiguous, RankRule::RoundRobin, RankRule::BySequence);
  const RoutingTrace assigned = with_ranks(trace, rule, *rc::gen::inRange<std::size_t>(1, 7));
  RC_ASSERT(count_selections(assigned, false).counts == count_selections(trace, false).counts);
}

}  // namespace
}  // namespace switchyard
