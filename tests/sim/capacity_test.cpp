#include "sim/capacity.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/capacity_loss.hpp"
#include "sim/capacity_slots.hpp"
#include "tests/support/expect_error.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

std::unique_ptr<CapacityPolicy> policy(const std::string& name, const json& parameters) {
  Parameters values(parameters, {"test", "#"});
  return Registry<CapacityPolicy>::instance().create(name, "capacity policy", values);
}

// Four tokens of one rank, two experts, top-1: three want expert 0.
LayerTokens crowded() {
  LayerTokens tokens{.experts = 2, .ranks = 1, .expert_ids = Matrix<std::int32_t>(4, 1)};
  tokens.gate_weights = Matrix<float>(4, 1);
  tokens.logits = Matrix<float>(4, 2);
  const float weights[] = {0.5F, 0.9F, 0.7F, 1.0F};
  const std::int32_t experts[] = {0, 0, 0, 1};
  for (std::size_t i = 0; i < 4; ++i) {
    tokens.expert_ids(i, 0) = experts[i];
    tokens.gate_weights(i, 0) = weights[i];
    tokens.logits(i, static_cast<std::size_t>(experts[i])) = 1;
    tokens.source_rank.push_back(0);
  }
  return tokens;
}

TEST(CapacitySlots, FollowTheGShardFormula) {
  EXPECT_EQ(capacity_slots(1.25, 2, 64, 8, 1), 20);
  EXPECT_EQ(capacity_slots(1.0, 1, 10, 8, 1), 2);  // ceil(1.25)
  EXPECT_EQ(capacity_slots(0.01, 1, 10, 8, 4), 4);
}

TEST(Drop, KeepsEarlierTokensWhenOrderedByToken) {
  LayerTokens tokens = crowded();
  const auto outcome = policy("drop", {{"factor", 1.0}, {"order", "token"}})->apply(tokens);
  EXPECT_EQ(outcome.pairs, 4);
  EXPECT_EQ(outcome.kept, 3);
  EXPECT_EQ(outcome.dropped, 1);
  EXPECT_EQ(tokens.expert_ids(2, 0), kNoExpert);
}

TEST(Drop, KeepsHeavierTokensWhenOrderedByWeight) {
  LayerTokens tokens = crowded();
  (void)policy("drop", {{"factor", 1.0}, {"order", "weight"}})->apply(tokens);
  EXPECT_EQ(tokens.expert_ids(0, 0), kNoExpert);
  EXPECT_EQ(tokens.expert_ids(1, 0), 0);
  EXPECT_EQ(tokens.expert_ids(2, 0), 0);
}

TEST(Drop, ServesAllFirstChoicesBeforeAnySecondWhenOrderedByChoice) {
  // Token 0 wants (0, 1), token 1 wants (1, 0); one slot each: by choice both first wishes are met.
  LayerTokens tokens{.experts = 2, .ranks = 1, .expert_ids = Matrix<std::int32_t>(2, 2)};
  tokens.expert_ids(0, 0) = 0;
  tokens.expert_ids(0, 1) = 1;
  tokens.expert_ids(1, 0) = 1;
  tokens.expert_ids(1, 1) = 0;
  tokens.source_rank = {0, 0};
  LayerTokens by_token = tokens;
  (void)policy("drop", {{"factor", 0.5}, {"order", "choice"}})->apply(tokens);
  EXPECT_EQ(tokens.expert_ids(1, 0), 1);
  EXPECT_EQ(tokens.expert_ids(0, 1), kNoExpert);
  (void)policy("drop", {{"factor", 0.5}, {"order", "token"}})->apply(by_token);
  EXPECT_EQ(by_token.expert_ids(0, 1), 1);
  EXPECT_EQ(by_token.expert_ids(1, 0), kNoExpert);
}

TEST(Drop, SharesSlotsBetweenRanksOnlyInGlobalScope) {
  // Rank 0's two tokens want expert 0, rank 1's two want expert 1.
  LayerTokens tokens{.experts = 2, .ranks = 2, .expert_ids = Matrix<std::int32_t>(4, 1)};
  for (std::size_t i = 0; i < 4; ++i) {
    tokens.expert_ids(i, 0) = i < 2 ? 0 : 1;
    tokens.source_rank.push_back(i < 2 ? 0 : 1);
  }
  LayerTokens global = tokens;
  EXPECT_EQ(policy("drop", {{"factor", 1.0}})->apply(tokens).dropped, 2);
  EXPECT_EQ(policy("drop", {{"factor", 1.0}, {"scope", "global"}})->apply(global).dropped, 0);
}

TEST(Drop, RefusesACapacityBelowOneToken) {
  LayerTokens tokens = crowded();
  testing::expect_error<InvalidInput>(
      [&] {
        (void)policy("drop", {{"factor", 0.1}})->apply(tokens);
      },
      "0.1 x 1 choices x 4 tokens / 2 experts = 0.2 slots is less than one token");
  EXPECT_EQ(policy("drop", {{"factor", 0.1}, {"minimum", 1}})->apply(tokens).kept, 2);
}

TEST(Drop, TakesOtherFactorsForSingleLayers) {
  LayerTokens tokens = crowded();
  LayerTokens deeper = tokens;
  deeper.layer = 7;
  const auto by_layer = policy("drop", {{"factor", 1.0}, {"by_layer", {{"7", 1.5}}}});
  EXPECT_EQ(by_layer->apply(tokens).dropped, 1);
  EXPECT_EQ(by_layer->apply(deeper).dropped, 0);
  testing::expect_error<InvalidInput>(
      [] {
        (void)policy("drop", {{"by_layer", {{"x", 1}}}});
      },
      "x: 1 is no layer with a positive factor");
}

TEST(Drop, GroupsConsecutiveTokensOfARank) {
  LayerTokens tokens = crowded();  // 0 0 | 0 1: two groups, one slot per expert and group
  const auto outcome =
      policy("drop", {{"factor", 1.0}, {"scope", "group"}, {"group_tokens", 2}})->apply(tokens);
  EXPECT_EQ(outcome.dropped, 1);
  EXPECT_EQ(tokens.expert_ids(1, 0), kNoExpert);
  EXPECT_EQ(tokens.expert_ids(2, 0), 0);
}

TEST(Drop, DrawsLotsFromTheSeed) {
  LayerTokens first = crowded();
  LayerTokens again = first;
  const auto by_lot = policy("drop", {{"factor", 0.5}, {"order", "random"}});
  (void)by_lot->apply(first);
  (void)by_lot->apply(again);
  EXPECT_EQ(first.expert_ids, again.expert_ids);
  bool differs = false;
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    LayerTokens other = crowded();
    other.seed = seed;
    (void)by_lot->apply(other);
    differs = differs || !(other.expert_ids == first.expert_ids);
  }
  EXPECT_TRUE(differs);
}

TEST(CapacityLoss, CountsLostTokensAndGateMass) {
  LayerTokens tokens{.experts = 2, .ranks = 1, .expert_ids = Matrix<std::int32_t>(2, 2)};
  tokens.gate_weights = Matrix<float>(2, 2);
  const float weights[] = {0.75F, 0.25F, 0.5F, 0.5F};
  std::copy(std::begin(weights), std::end(weights), tokens.gate_weights.values().begin());
  Matrix<std::int32_t> wishes(2, 2);
  wishes(0, 1) = 1;
  wishes(1, 1) = kNoExpert;  // token 1 wanted expert 0 only
  tokens.expert_ids(0, 1) = kNoExpert;
  tokens.expert_ids(1, 0) = kNoExpert;
  tokens.expert_ids(1, 1) = kNoExpert;
  const CapacityLoss loss = capacity_loss(wishes, tokens);
  EXPECT_EQ(loss.tokens, 2);
  EXPECT_EQ(loss.lost_tokens, 1);
  ASSERT_TRUE(loss.dropped_gate_mass.has_value());
  EXPECT_DOUBLE_EQ(*loss.dropped_gate_mass, 0.75 / 1.5);
}

// MPP-3: the capacities of all experts add up to gamma times the slots.
TEST(Heterogeneous, CapacitiesAddUpToGammaTimesTheSlots) {
  // 16 + 4 experts, tau 0.75: 16 shares; top-2 of 800 tokens: 1600 slots, gamma 1: 100 for each
  // zero-cost expert, 75 for each other one. Everybody wants two experts of the same kind.
  constexpr std::size_t kTokens = 800;
  for (const bool cheap : {false, true}) {
    LayerTokens tokens{.experts = 20, .ranks = 1, .expert_ids = Matrix<std::int32_t>(kTokens, 2)};
    tokens.zero_cost_experts = 4;
    tokens.source_rank.assign(kTokens, 0);
    for (std::size_t row = 0; row < kTokens; ++row) {
      tokens.expert_ids(row, 0) = cheap ? 16 : 0;
      tokens.expert_ids(row, 1) = cheap ? 17 : 1;
    }
    const auto outcome = policy("heterogeneous", {{"factor", 1.0}, {"tau", 0.75}})->apply(tokens);
    EXPECT_EQ(outcome.kept, cheap ? 2 * 100 : 2 * 75);
  }
  EXPECT_EQ(16 * 75 + 4 * 100, 1600);
}

TEST(EtrBound, GrowsWithTheCosineAndIsClamped) {
  const auto slots_at = [](double cosine, const json& parameters) {
    LayerTokens tokens{.experts = 8, .ranks = 1, .expert_ids = Matrix<std::int32_t>(80, 1)};
    tokens.hidden = 4096;
    tokens.source_rank.assign(80, 0);
    tokens.logits = Matrix<float>(80, 8, static_cast<float>(cosine));
    return policy("etr_bound", parameters)->apply(tokens).kept;  // all want expert 0
  };
  EXPECT_EQ(slots_at(0, json::object()), 10) << "an even share";
  // papers.md: 0.153 at cosine 0.01, 0.284 at 0.02 for d = 4096, n = 8.
  EXPECT_EQ(slots_at(0.01, json::object()), 13) << "ceil(0.1534 * 80)";
  EXPECT_EQ(slots_at(0.02, json::object()), 23) << "ceil(0.2836 * 80)";
  EXPECT_EQ(slots_at(0.05, {{"unit", "tokens"}}), 22) << "ceil(21.0)";
  EXPECT_EQ(slots_at(1, json::object()), 80) << "no more than there are tokens";
  EXPECT_GT(slots_at(0.02, {{"form", "locmoe"}}), slots_at(0.02, json::object()));
  testing::expect_error<InvalidInput>([&] { (void)slots_at(3, json::object()); }, "is no cosine");
}

TEST(AdaptivePrefix, KeepsTheShortestPrefixThatCarriesTheShare) {
  LayerTokens tokens = crowded();  // expert 0: 0.5, 0.9, 0.7; expert 1: 1
  const auto outcome = policy("adaptive_prefix", {{"share", 0.7}})->apply(tokens);
  EXPECT_EQ(outcome.kept, 3) << "0.9 + 0.7 carry 76 %";
  EXPECT_EQ(tokens.expert_ids(0, 0), kNoExpert);
}

TEST(DropAndPad, SendsTheSameSlotsWhateverTheSkew) {
  LayerTokens tokens = crowded();
  const auto outcome = policy("drop_and_pad", {{"factor", 1.5}})->apply(tokens);
  ASSERT_EQ(outcome.padded_slots, std::vector<std::int64_t>{3});  // ceil(1.5 * 4 / 2)
  EXPECT_EQ(outcome.dropped, 0);
  EXPECT_EQ(outcome.padded, 2 * 3 - 4);
}

TEST(Reroute, SendsTheOverflowToTheNextBestExpertWithRoom) {
  LayerTokens tokens = crowded();
  const auto outcome = policy("reroute", {{"factor", 1.0}, {"order", "token"}})->apply(tokens);
  EXPECT_EQ(outcome.dropped, 0);
  EXPECT_EQ(outcome.rerouted, 1);
  EXPECT_EQ(tokens.expert_ids(2, 0), 1);
}

}  // namespace
}  // namespace switchyard
