#include "sim/capacity.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/capacity_slots.hpp"
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
