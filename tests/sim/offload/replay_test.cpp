// The clock of an offload run, by hand: an expert is one byte, a copy takes a second.
#include "sim/offload/replay.hpp"

#include <gtest/gtest.h>

#include "tests/support/offload.hpp"

namespace switchyard {
namespace {

using testing::expert_of_one_byte;
using testing::make_policy;

struct Visit {
  std::vector<std::uint32_t> experts;
};

// One token a pass; `visits` pass by pass, layer by layer.
AccessStream stream_of(std::size_t layers, std::size_t experts, const std::vector<Visit>& visits) {
  AccessStream stream;
  stream.layers = layers;
  stream.experts = experts;
  for (std::size_t layer = 0; layer < layers; ++layer) {
    stream.layer_numbers.push_back(static_cast<std::int64_t>(layer));
  }
  for (std::size_t i = 0; i < visits.size(); ++i) {
    if (i % layers == 0) {
      stream.pass_tokens.push_back(1);
      stream.starts_sequence.push_back(i == 0 ? 1 : 0);
    }
    for (const std::uint32_t expert : visits[i].experts) {
      stream.uses.push_back({.expert = expert, .tokens = 1, .need = Need::High});
    }
    stream.top_k = std::max(stream.top_k, visits[i].experts.size());
    stream.visit_starts.push_back(stream.uses.size());
  }
  return stream;
}

TEST(OffloadReplay, CopiesOneAfterTheOtherAndKeepsThem) {
  const AccessStream stream = stream_of(1, 4, {{{0, 1}}, {{0, 1}}, {{1, 2}}});
  const OffloadResult result =
      replay_offload(stream, expert_of_one_byte(stream, make_policy("lru"), 2));
  EXPECT_DOUBLE_EQ(result.total_s, 2 + 0 + 1);
  EXPECT_EQ(result.counts.loads, 3);
  EXPECT_EQ(result.counts.hits, 3);
  EXPECT_DOUBLE_EQ(result.stall_s, 3);
  ASSERT_EQ(result.links.size(), 1U);
  EXPECT_EQ(result.links[0].demand_bytes, 3);
  EXPECT_DOUBLE_EQ(result.links[0].busy_s, 3);
}

TEST(OffloadReplay, ComputesCachedExpertsWhileOthersAreCopied) {
  const AccessStream stream = stream_of(1, 4, {{{0, 1}}, {{0, 2}}});
  OffloadSetup setup = expert_of_one_byte(stream, make_policy("lru"), 4);
  setup.time.launch_s = 0.25;
  const OffloadResult result = replay_offload(stream, setup);
  // 0 arrives at 1, 1 at 2, computed until 2.25; then 0 (0.25) hides behind the copy of 2.
  EXPECT_DOUBLE_EQ(result.total_s, 2.25 + 1.25);
  EXPECT_DOUBLE_EQ(result.compute_s, 1);
  EXPECT_DOUBLE_EQ(result.stall_s, 2.5);
}

TEST(OffloadReplay, PrefetchHidesACopyBehindOtherWork) {
  const AccessStream stream = stream_of(2, 4, {{{0}}, {{1}}, {{0}}, {{1}}});
  OffloadSetup setup = expert_of_one_byte(stream, make_policy("lru"), 8);
  setup.other_per_layer = Seconds{2};
  setup.prefetch = {.horizon = 1, .accuracy = {1}};
  const OffloadResult result = replay_offload(stream, setup);
  // Layer 0: 2 + 1 for expert 0; expert 1 of layer 1 is copied from 3 to 4, before 5.
  EXPECT_DOUBLE_EQ(result.total_s, 3 + 2 + 2 + 2);
  EXPECT_EQ(result.counts.prefetched, 1);
  EXPECT_EQ(result.counts.hits, 2);
  EXPECT_EQ(result.links[0].prefetch_bytes, 1);
  EXPECT_EQ(result.wasted_prefetches, 0);
}

TEST(OffloadReplay, AWrongPrefetchDelaysTheDemandLoad) {
  const AccessStream stream = stream_of(2, 4, {{{0}}, {{1}}});
  OffloadSetup setup = expert_of_one_byte(stream, make_policy("lru"), 8);
  setup.prefetch = {.horizon = 1, .accuracy = {0}};
  const OffloadResult result = replay_offload(stream, setup);
  // Expert 0 from 0 to 1, the wrong one from 1 to 2, and only then expert 1.
  EXPECT_DOUBLE_EQ(result.total_s, 3);
  EXPECT_EQ(result.wasted_prefetches, 1);
  EXPECT_EQ(result.counts.loads, 2);
  setup.prefetch.horizon = 0;
  EXPECT_DOUBLE_EQ(replay_offload(stream, setup).total_s, 2);
}

TEST(OffloadReplay, RoutingKnownInAdvanceIsPredictedWithoutMistakes) {
  const AccessStream stream = stream_of(3, 8, {{{0}}, {{1}}, {{2}}});
  OffloadSetup setup = expert_of_one_byte(stream, make_policy("lru"), 8);
  setup.prefetch = {.horizon = 2, .accuracy = {0, 0}, .known_ahead = 2};
  const OffloadResult result = replay_offload(stream, setup);
  EXPECT_EQ(result.wasted_prefetches, 0);
  EXPECT_EQ(result.counts.loads, 1);
}

TEST(OffloadReplay, ExpertsFromAnSsdPassThroughHostMemory) {
  const AccessStream stream = stream_of(1, 4, {{{0}}, {{1}}, {{0}}, {{2}}, {{0}}});
  OffloadSetup setup = expert_of_one_byte(stream, make_policy("lru"), 1);
  setup.tier.ssd = {.bandwidth = BytesPerSecond{0.1}, .latency = Seconds{0}};
  setup.tier.host_bytes = 2;
  const OffloadResult result = replay_offload(stream, setup);
  // 0 and 1 from the SSD, 0 from the host, 2 from the SSD in place of 1, 0 from the host.
  EXPECT_DOUBLE_EQ(result.total_s, 11 + 11 + 1 + 11 + 1);
  ASSERT_EQ(result.links.size(), 2U);
  EXPECT_EQ(result.links[0].name, "host");
  EXPECT_EQ(result.links[0].copies, 5);
  EXPECT_EQ(result.links[1].name, "ssd");
  EXPECT_EQ(result.links[1].copies, 3);
}

TEST(OffloadReplay, GpusOfOneLinkWaitForEachOther) {
  const AccessStream stream = stream_of(1, 4, {{{0, 2}}});
  OffloadSetup setup = expert_of_one_byte(stream, make_policy("lru"), 2);
  setup.tier.gpus = 2;
  EXPECT_DOUBLE_EQ(replay_offload(stream, setup).total_s, 1);
  setup.tier.gpus_per_link = 2;
  EXPECT_DOUBLE_EQ(replay_offload(stream, setup).total_s, 2);
}

TEST(OffloadReplay, TheCpuTakesWhatItFinishesSooner) {
  const AccessStream stream = stream_of(1, 4, {{{0, 1, 2}}});
  OffloadSetup setup = expert_of_one_byte(stream, make_policy("lru"), 3);
  setup.time.cpu_first_s = 0.75;
  setup.miss = MissRule::Cpu;
  EXPECT_DOUBLE_EQ(replay_offload(stream, setup).total_s, 2.25);
  EXPECT_EQ(replay_offload(stream, setup).counts.computed_on_cpu, 3);
  setup.miss = MissRule::Fastest;
  const OffloadResult result = replay_offload(stream, setup);
  // 0 on the CPU until 0.75, 1 copied until 1, 2 on the CPU until 1.5.
  EXPECT_DOUBLE_EQ(result.total_s, 1.5);
  EXPECT_EQ(result.counts.computed_on_cpu, 2);
  EXPECT_EQ(result.counts.loads, 1);
}

TEST(OffloadReplay, SkipsWhatIsNotWorthACopyUnlessItIsThere) {
  AccessStream stream = stream_of(1, 4, {{{0, 1}}, {{1, 0}}});
  stream.uses[1].need = Need::Skip;
  stream.uses[3].need = Need::Skip;
  const OffloadResult result =
      replay_offload(stream, expert_of_one_byte(stream, make_policy("lru"), 4));
  EXPECT_EQ(result.counts.skipped, 1);
  EXPECT_EQ(result.counts.loads, 2);
  EXPECT_EQ(result.counts.hits, 1);
}

TEST(OffloadReplay, ServesALowNeedFromEitherPrecisionAndAHighOneFromHighAlone) {
  AccessStream stream = stream_of(1, 4, {{{0}}, {{0}}, {{0}}});
  stream.uses[0].need = Need::Low;
  stream.uses[2].need = Need::Low;
  OffloadSetup setup = expert_of_one_byte(stream, make_policy("lru"), 4);
  setup.high_bytes.assign(4, 4);
  setup.cache = {.high = {4}, .low = {4}};
  const OffloadResult result = replay_offload(stream, setup);
  // Loaded low (1 byte), loaded again high (4 bytes), then there.
  EXPECT_EQ(result.links[0].demand_bytes, 5);
  EXPECT_EQ(result.counts.hits, 1);
  EXPECT_EQ(result.most_cached_bytes, 4) << "the low copy left when the high one came";
  EXPECT_DOUBLE_EQ(result.miss_penalty(), (0.25 + 1) / 3);
}

}  // namespace
}  // namespace switchyard
