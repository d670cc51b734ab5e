// Each definition has to reproduce a number that its publisher printed, from the publisher's own
// latency and batch: that is what makes it the right one.
#include "profiler/measurements/byte_definitions.hpp"

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"

namespace switchyard::testing {
namespace {

constexpr double kGiga = 1e9;
constexpr double kMicro = 1e-6;

/// DeepSeek-V3's batch in DeepEP's tests: hidden 7168, top 8 of 256.
Measurement deepseek(ExchangeKind kind, BenchmarkRouting routing) {
  return {.kind = kind,
          .routing = routing,
          .ranks = 8,
          .nodes = 1,
          .tokens = 4096,
          .hidden = 7168,
          .top_k = 8,
          .experts = 256,
          .element_bytes = 1};
}

double published(const std::string& definition, const Measurement& row, double microseconds) {
  return byte_definition(definition).bytes(row) / (microseconds * kMicro) / kGiga;
}

TEST(ByteDefinitions, LowLatencyCountsEverySelection) {
  // deepseek-ai/DeepEP dd758caf docs/legacy.md: EP8, 128 tokens, dispatch 77 us and 98 GB/s,
  // combine 114 us and 127 GB/s; EP128: 192 us and 39 GB/s. Rounded to whole GB/s and us.
  Measurement row = deepseek(ExchangeKind::LowLatencyDispatch, BenchmarkRouting::Random);
  row.tokens = 128;
  EXPECT_NEAR(published("deepep_low_latency", row, 77), 98, 1.2);
  row.ranks = 128;
  row.nodes = 16;
  EXPECT_NEAR(published("deepep_low_latency", row, 192), 39, 1);
  row.kind = ExchangeKind::LowLatencyCombine;
  row.element_bytes = 2;
  EXPECT_NEAR(published("deepep_low_latency", row, 114), 127, 2);
}

TEST(ByteDefinitions, NormalNvlinkCountsEachTokenOncePerRank) {
  // uccl-project/uccl da914a20 (DeepEP's test on 8 H200): dispatch 500 us and 320 GB/s, combine
  // 973 us and 319 GB/s.
  Measurement row = deepseek(ExchangeKind::NormalDispatch, BenchmarkRouting::GroupLimited);
  EXPECT_NEAR(published("deepep_normal_nvlink", row, 500), 320, 4);
  row.kind = ExchangeKind::NormalCombine;
  row.element_bytes = 2;
  EXPECT_NEAR(published("deepep_normal_nvlink", row, 973), 319, 4);
}

TEST(ByteDefinitions, NormalRdmaCountsEachTokenOncePerNodeItsOwnIncluded) {
  // The same source: 16 ranks on 2 nodes 1196 us and 50 GB/s; 32 on 4 nodes 2022 us and 54 GB/s.
  Measurement row = deepseek(ExchangeKind::NormalDispatch, BenchmarkRouting::GroupLimited);
  row.ranks = 16;
  row.nodes = 2;
  EXPECT_NEAR(published("deepep_normal_rdma", row, 1196), 50, 1);
  row.ranks = 32;
  row.nodes = 4;
  EXPECT_NEAR(published("deepep_normal_rdma", row, 2022), 54, 1);
}

TEST(ByteDefinitions, NcclAlgorithmAndBusBandwidthAsNcclTestsPrintThem) {
  // prasad-nair-amd/alibaba, rccl-tests on 8 MI355X: 134217728 B in 364.47 us, algbw 368.25, busbw
  // 322.22; microsoft/mscclpp 1f5f065d: 1 GiB on 8 A100 in 3887.87 us, busbw 241.65.
  Measurement row{.kind = ExchangeKind::AllToAll, .ranks = 8, .message_bytes = 134217728};
  EXPECT_NEAR(published("nccl_algbw", row, 364.47), 368.25, 0.01);
  EXPECT_NEAR(published("nccl_busbw", row, 364.47), 322.22, 0.01);
  row.message_bytes = 1073741824;
  EXPECT_NEAR(published("nccl_busbw", row, 3887.87), 241.65, 0.01);
}

TEST(ByteDefinitions, GroupLimitedRoutingReachesFourNodesAtMost) {
  const RoutingShape shape{.tokens = 4096, .top_k = 8, .experts = 256, .nodes = 8};
  const Spread limited = mean_spread(BenchmarkRouting::GroupLimited, shape, 64, 1);
  const Spread random = mean_spread(BenchmarkRouting::Random, shape, 64, 1);
  EXPECT_LE(limited.nodes, 4);
  EXPECT_GT(random.nodes, 5);
  // Balanced routing with 8 choices over 8 ranks visits each rank exactly once.
  const RoutingShape node{.tokens = 64, .top_k = 8, .experts = 256, .nodes = 1};
  EXPECT_EQ(mean_spread(BenchmarkRouting::Balanced, node, 8, 1).ranks, 8);
}

TEST(ByteDefinitions, AnUnknownNameGetsTheNearest) {
  expect_error<InvalidInput>([] { static_cast<void>(byte_definition("nccl_busbv")); },
                             "did you mean \"nccl_busbw\"?");
}

}  // namespace
}  // namespace switchyard::testing
