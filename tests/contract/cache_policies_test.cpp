// Every cache policy, known or new, on random access streams.
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/offload/expert_pool.hpp"
#include "sim/offload/replay.hpp"
#include "tests/support/offload.hpp"

namespace switchyard {
namespace {

using testing::expert_of_one_byte;
using testing::make_policy;
using testing::random_stream;

class EveryCachePolicy : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryCachePolicy, NeverHoldsMoreThanItsCapacity) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const AccessStream stream = random_stream(seed, {.passes = 60, .layers = 3, .experts = 12});
    for (const std::int64_t capacity : {3, 7, 20}) {
      const OffloadSetup setup = expert_of_one_byte(stream, make_policy(GetParam()), capacity);
      const OffloadResult result = replay_offload(stream, setup);
      EXPECT_LE(result.most_cached_bytes, capacity);
      EXPECT_GT(result.counts.loads, 0);
    }
  }
}

TEST_P(EveryCachePolicy, GivesUpOnlyUnpinnedResidents) {
  const AccessStream stream = random_stream(5, {.passes = 1, .layers = 1, .experts = 16});
  const std::vector<std::int64_t> next(16, kNeverUsed);
  const CacheShape shape{
      .layers = 1, .model_layers = 1, .experts = 16, .next_use = next, .seed = 1};
  const auto order = make_policy(GetParam())->start(shape);
  std::vector<std::uint16_t> pins(16, 0);
  std::set<std::uint32_t> residents;
  for (std::uint32_t key = 0; key < 10; ++key) {
    order->insert(key, {});
    order->use(key, {});
    residents.insert(key);
    pins[key] = key % 2;
  }
  for (int i = 0; i < 5; ++i) {
    const auto victim = order->victim({}, pins);
    ASSERT_TRUE(victim.has_value());
    EXPECT_EQ(residents.count(*victim), 1U);
    EXPECT_EQ(pins[*victim], 0);
    order->erase(*victim);
    residents.erase(*victim);
  }
  EXPECT_FALSE(order->victim({}, pins).has_value()) << "only pinned ones are left";
}

TEST_P(EveryCachePolicy, GivesTheSameAnswerForTheSameSeed) {
  const AccessStream stream = random_stream(3, {.passes = 200, .layers = 4, .experts = 16});
  const OffloadSetup setup = expert_of_one_byte(stream, make_policy(GetParam()), 20);
  EXPECT_EQ(replay_offload(stream, setup), replay_offload(stream, setup));
}

TEST_P(EveryCachePolicy, MissesOnlyOnceIfEverythingFits) {
  const AccessStream stream = random_stream(9, {.passes = 100, .layers = 3, .experts = 8});
  const OffloadSetup setup = expert_of_one_byte(stream, make_policy(GetParam()), 3 * 8);
  std::set<std::pair<std::size_t, std::uint32_t>> distinct;
  for (std::size_t pass = 0; pass < stream.passes(); ++pass) {
    for (std::size_t layer = 0; layer < stream.layers; ++layer) {
      for (const ExpertDemand& use : stream.visit(pass, layer)) {
        distinct.emplace(layer, use.expert);
      }
    }
  }
  const OffloadResult result = replay_offload(stream, setup);
  EXPECT_EQ(result.counts.loads, static_cast<std::int64_t>(distinct.size()));
  EXPECT_EQ(result.counts.hits, result.counts.uses - result.counts.loads);
}

// RME-1: nothing beats Belady, whatever the skew, the number of experts a token and the capacity.
TEST_P(EveryCachePolicy, HitsNoMoreOftenThanBelady) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const std::size_t top_k = 1 + seed % 2;
    const AccessStream stream = random_stream(seed,
                                              {.passes = 150,
                                               .layers = 1 + seed % 3,
                                               .experts = 9,
                                               .top_k = top_k,
                                               .skew = 0.5 * static_cast<double>(seed % 4)});
    for (std::int64_t capacity = 2; capacity <= 5; ++capacity) {
      const OffloadResult best =
          replay_offload(stream, expert_of_one_byte(stream, make_policy("belady"), capacity));
      const OffloadResult own =
          replay_offload(stream, expert_of_one_byte(stream, make_policy(GetParam()), capacity));
      EXPECT_GE(best.counts.hits, own.counts.hits) << "seed " << seed << ", capacity " << capacity;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(CachePolicies,
                         EveryCachePolicy,
                         ::testing::ValuesIn(Registry<CachePolicy>::instance().names()),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace switchyard
