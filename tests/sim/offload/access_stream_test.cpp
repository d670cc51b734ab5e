// From a trace to the experts that a cache is asked for.
#include "sim/offload/access_stream.hpp"

#include <set>

#include <gtest/gtest.h>

#include "sim/cache_policy.hpp"
#include "sim/offload/batching.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/small_traces.hpp"

namespace switchyard {
namespace {

using testing::expect_error;
using testing::random_trace;
using testing::small_columns;
using testing::small_metadata;
using testing::small_trace;

std::vector<std::uint32_t> experts_of(std::span<const ExpertDemand> uses) {
  std::vector<std::uint32_t> experts;
  for (const ExpertDemand& use : uses) {
    experts.push_back(use.expert);
  }
  return experts;
}

TEST(AccessStream, FollowsEachTokenThroughTheLayers) {
  const AccessStream stream = read_accesses(small_trace(), {}, {});
  EXPECT_EQ(stream.layers, 2U);
  EXPECT_EQ(stream.passes(), 3U);
  EXPECT_EQ(stream.tokens(), 3);
  EXPECT_EQ(experts_of(stream.visit(0, 0)), (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(experts_of(stream.visit(0, 1)), (std::vector<std::uint32_t>{2, 0}));
  EXPECT_EQ(experts_of(stream.visit(2, 0)), (std::vector<std::uint32_t>{3}));
  EXPECT_EQ(stream.starts_sequence, (std::vector<std::uint8_t>{1, 0, 1}));
}

TEST(AccessStream, CountsEachExpertOnceABatch) {
  const AccessStream stream = read_accesses(small_trace(), {.tokens = 0}, {});
  EXPECT_EQ(stream.passes(), 1U);
  // Layer 1: {2,0} {2,1} {2,3}; the most wanted first.
  EXPECT_EQ(experts_of(stream.visit(0, 1)), (std::vector<std::uint32_t>{2, 0, 1, 3}));
  EXPECT_EQ(stream.visit(0, 1).front().tokens, 3U);
}

TEST(AccessStream, TokensThatAreNotAliveUseNoExpert) {  // PRANCE: bytes and rows follow alive
  TraceColumns columns = small_columns();
  const std::size_t rows = columns.expert_ids.size() / 2;
  columns.alive.assign(rows, 1);
  columns.alive[3] = 0;  // first token of layer 1
  columns.alive[5] = 0;
  const AccessStream stream =
      read_accesses(RoutingTrace::from_columns(small_metadata(), columns), {}, {});
  EXPECT_TRUE(stream.visit(0, 1).empty());
  EXPECT_EQ(stream.visit(1, 1).size(), 2U);
  EXPECT_TRUE(stream.visit(2, 1).empty());
}

TEST(AccessStream, ScoresChooseThePrecision) {  // HOBBIT: s_0 = 0, s_1 = g_0 / (g_0 + g_1)
  TraceColumns columns = small_columns();
  columns.gate_weights = {0.5F, 0.5F, 0.3F, 0.1F, 1, 0, 0.05F, 0.95F, 0.9F, 0.1F, 0.6F, 0.4F};
  const AccessStream stream = read_accesses(
      RoutingTrace::from_columns(small_metadata(), columns), {}, {.t1 = 0.6, .t2 = 0.9});
  EXPECT_EQ(stream.visit(0, 0)[1].need, Need::High);  // 0.5
  EXPECT_EQ(stream.visit(1, 0)[1].need, Need::Low);   // 0.75
  EXPECT_EQ(experts_of(stream.visit(0, 1)), (std::vector<std::uint32_t>{0, 2})) << "heavier first";
  EXPECT_EQ(stream.visit(0, 1)[0].need, Need::High);
  EXPECT_EQ(stream.visit(0, 1)[1].need, Need::Skip);  // 0.95
}

TEST(AccessStream, PrecisionNeedsWeights) {
  TraceColumns columns = small_columns();
  columns.gate_weights.clear();
  const RoutingTrace trace = RoutingTrace::from_columns(small_metadata(), columns);
  expect_error<MissingCapability>([&] { (void)read_accesses(trace, {}, {.t1 = 0.6, .t2 = 0.9}); },
                                  "precision by gate weight needs L3");
}

TEST(AccessStream, RefusesLayersOfUnequalLength) {
  TraceColumns columns = small_columns();
  columns.chunks[1].row_count = 2;
  columns.expert_ids.resize(10);
  columns.gate_weights.resize(10);
  columns.sequence_ids.resize(5);
  const RoutingTrace trace = RoutingTrace::from_columns(small_metadata(), columns);
  expect_error<InvalidInput>([&] { (void)read_accesses(trace, {}, {}); },
                             "layer 0 has 3 tokens, layer 1 has 2");
}

TEST(AccessStream, RefusesASecondSelection) {
  TraceMetadata metadata = small_metadata();
  metadata.merges_experts = true;
  const RoutingTrace trace = RoutingTrace::from_columns(metadata, small_columns());
  expect_error<MissingCapability>([&] { (void)read_accesses(trace, {}, {}); },
                                  "the router merges experts by their weights");
}

TEST(AccessStream, NextUsesPointToTheSameExpertOfTheSameLayer) {
  const AccessStream stream = read_accesses(random_trace({.steps = 3}, 5), {}, {});
  const std::vector<std::int64_t> next = next_uses(stream);
  std::vector<std::size_t> layer_of;
  for (std::size_t visit = 0; visit < stream.visits(); ++visit) {
    layer_of.resize(stream.visit_starts[visit + 1], visit % stream.layers);
  }
  for (std::size_t use = 0; use < stream.uses.size(); ++use) {
    std::int64_t expected = kNeverUsed;
    for (std::size_t later = stream.uses.size(); later-- > use + 1;) {
      if (layer_of[later] == layer_of[use] &&
          stream.uses[later].expert == stream.uses[use].expert) {
        expected = static_cast<std::int64_t>(later);
      }
    }
    EXPECT_EQ(next[use], expected);
  }
}

TEST(ExpertAwareBatching, TakesTheLongestQueueFirst) {
  Matrix<std::int32_t> experts(6, 1);
  const std::vector<std::int32_t> chosen{0, 1, 0, 2, 0, 1};
  std::copy(chosen.begin(), chosen.end(), experts.values().begin());
  EXPECT_EQ(expert_aware_order(experts, 3, 3, 6), (std::vector<std::uint32_t>{0, 2, 4, 1, 5, 3}));
  EXPECT_EQ(expert_aware_order(experts, 3, 2, 2), (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5}))
      << "no more tokens wait than a batch takes";
}

TEST(ExpertAwareBatching, TakesEveryTokenOnce) {
  Matrix<std::int32_t> experts(50, 2, kNoExpert);
  for (std::size_t token = 0; token < 50; token += 2) {
    experts(token, 0) = static_cast<std::int32_t>(token * token % 7);
  }
  const std::vector<std::uint32_t> order = expert_aware_order(experts, 7, 8, 16);
  EXPECT_EQ(order.size(), 50U);
  EXPECT_EQ(std::set<std::uint32_t>(order.begin(), order.end()).size(), 50U);
}

}  // namespace
}  // namespace switchyard
