// The checks ETR-1, ETR-2, ETR-4 and ETR-5 of the design notes, and LocMoE beside it.
#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "kernels/stages/expert_side.hpp"
#include "kernels/stages/grouped_pooling.hpp"
#include "tests/kernels/router_fixture.hpp"

namespace switchyard {
namespace {

RoutingDecision route(const std::string& name,
                      const nlohmann::json& values,
                      const Matrix<float>& hidden,
                      std::size_t experts,
                      std::int64_t source_rank = 0) {
  const Matrix<float> gate(experts, hidden.columns());
  return make_router(name, values)
      ->route({.hidden = hidden.view(), .gate = gate.view(), .source_rank = source_rank});
}

TEST(GroupedPooling, NeverSeesMoreThanTheWholeToken) {
  Matrix<float> hidden = normal_matrix(200, 60, 1);
  for (std::size_t token = 0; token < 100; ++token) {  // constant on blocks: the extreme case
    for (std::size_t at = 0; at < 60; ++at) {
      hidden(token, at) = hidden(token, at - at % 4);
    }
  }
  for (const std::size_t experts : {1U, 7U, 15U, 60U}) {
    const Matrix<float> affinity = grouped_affinity(hidden.view(), experts);
    for (std::size_t token = 0; token < 200; ++token) {
      double square = 0;
      for (const float value : affinity.row(token)) {
        square += double{value} * double{value};
      }
      ASSERT_LE(square, 1.0 + 1e-6);  // float32 rounding of up to 60 cosines
    }
  }
  // 15 blocks of 4 equal coordinates span the first hundred tokens completely.
  const Matrix<float> affinity = grouped_affinity(hidden.view(), 15);
  double square = 0;
  for (const float value : affinity.row(0)) {
    square += double{value} * double{value};
  }
  EXPECT_NEAR(square, 1.0, 1e-6);
}

TEST(GroupedPooling, HasAffinityOneWithItsOwnBlock) {
  Matrix<float> blocks(4, 32);
  for (std::size_t expert = 0; expert < 4; ++expert) {
    std::fill_n(blocks.row(expert).begin() + static_cast<std::ptrdiff_t>(8 * expert), 8, 3.0F);
  }
  const Matrix<float> affinity = grouped_affinity(blocks.view(), 4);
  for (std::size_t token = 0; token < 4; ++token) {
    for (std::size_t expert = 0; expert < 4; ++expert) {
      EXPECT_NEAR(affinity(token, expert), token == expert ? 1.0 : 0.0, 1e-7);
    }
  }
}

TEST(CapacityBounds, HaveTheValuesOfTheFormulas) {
  // Width 4096, 8 experts, computed from the two formulas by hand.
  EXPECT_NEAR(resonance_capacity_bound(8, 4096, 0.01), 0.153, 0.0005);
  EXPECT_NEAR(resonance_capacity_bound(8, 4096, 0.03), 0.790, 0.0005);
  EXPECT_NEAR(resonance_capacity_bound(8, 4096, 0.04), 3.32, 0.02);
  EXPECT_NEAR(locmoe_capacity_bound(8, 4096, 0.01), 0.239, 0.0005);
  EXPECT_NEAR(locmoe_capacity_bound(8, 4096, 0.03), 2.28, 0.005);
  EXPECT_NEAR(locmoe_capacity_bound(8, 4096, 0.04), 12.0, 0.05);
}

TEST(CapacityBounds, GrowWithTheCosineAndResonanceStaysBelowLocMoE) {
  EXPECT_DOUBLE_EQ(resonance_capacity_bound(8, 4096, 0), 1.0 / 8);
  EXPECT_DOUBLE_EQ(locmoe_capacity_bound(8, 4096, 0), 1.0 / 8);
  double before = 0;
  for (double cosine = 0.001; cosine <= 1.0; cosine += 0.001) {
    const double bound = resonance_capacity_bound(8, 4096, cosine);
    EXPECT_GE(bound, before);
    EXPECT_LE(bound, locmoe_capacity_bound(8, 4096, cosine));
    before = bound;
  }
}

TEST(Resonance, KeepsCapacityWithinTheTokensWhateverTheCosine) {
  Matrix<float> hidden(50, 4096);
  for (std::size_t token = 0; token < 50; ++token) {  // cosine 1 with expert 0: the bound explodes
    std::fill_n(hidden.row(token).begin(), 512, 1.0F);
  }
  for (const char* unit : {"factor", "tokens"}) {
    const auto decision = route("etr", {{"capacity", "bound"}, {"bound_unit", unit}}, hidden, 8);
    EXPECT_EQ(std::ranges::count(decision.expert_ids.values(), 0), 50);
  }
}

TEST(Resonance, GivesAnExpertOnlyTokensThatNominatedIt) {
  const Matrix<float> hidden = normal_matrix(600, 64, 2);
  const Matrix<float> affinity = grouped_affinity(hidden.view(), 16);
  const auto all = route("etr", {{"mode", "token"}, {"k", 2}}, hidden, 16);
  const auto kept =
      route("etr", {{"k", 2}, {"capacity", "factor"}, {"capacity_factor", 0.5}}, hidden, 16);
  std::vector<double> least_kept(16, 2.0);
  std::vector<double> most_dropped(16, -2.0);
  std::vector<std::size_t> load(16, 0);
  for (std::size_t token = 0; token < 600; ++token) {
    const auto nominated = all.expert_ids.row(token);
    const auto got = kept.expert_ids.row(token);
    for (const std::int32_t id : got) {
      if (id != kNoExpert) {
        ASSERT_NE(std::ranges::find(nominated, id), nominated.end());
      }
    }
    for (const std::int32_t id : nominated) {
      const auto expert = static_cast<std::size_t>(id);
      const double value = affinity(token, expert);
      const bool is_kept = std::ranges::find(got, id) != got.end();
      load[expert] += is_kept ? 1 : 0;
      double& extreme = is_kept ? least_kept[expert] : most_dropped[expert];
      extreme = is_kept ? std::min(extreme, value) : std::max(extreme, value);
    }
  }
  for (std::size_t expert = 0; expert < 16; ++expert) {
    EXPECT_GE(least_kept[expert], most_dropped[expert]);
    EXPECT_LE(load[expert], 38U);  // ceil(0.5 * 600 * 2 / 16)
  }
}

TEST(Resonance, KeepsFewerTokensTheLessAffinityIsAskedFor) {
  const Matrix<float> hidden = normal_matrix(2000, 64, 3);
  const Matrix<float> affinity = grouped_affinity(hidden.view(), 8);
  std::ptrdiff_t positive = 0;  // a negative affinity is no part of any share
  for (std::size_t token = 0; token < 2000; ++token) {
    positive += *std::ranges::max_element(affinity.row(token)) > 0 ? 1 : 0;
  }
  std::ptrdiff_t before = -1;
  for (const double theta : {0.1, 0.5, 0.9, 1.0}) {
    const auto decision =
        route("etr", {{"theta", theta}, {"capacity_factor", 10}, {"quantile", 0}}, hidden, 8);
    const std::ptrdiff_t kept = 2000 - std::ranges::count(decision.expert_ids.values(), kNoExpert);
    EXPECT_GT(kept, before);
    before = kept;
  }
  EXPECT_EQ(before, positive);
}

/// Theorem 5 of the paper in its own setting: one token that belongs to an expert among `tokens`,
/// each other of which seems better with probability q; success = it is among the C kept.
double expert_choice_success(std::size_t tokens, double q, std::size_t capacity) {
  constexpr std::size_t kTrials = 200;
  Matrix<float> scores(kTrials, tokens);  // one expert a trial
  RandomStream random(9, {tokens, capacity, static_cast<std::uint64_t>(q * 1e6)});
  for (std::size_t trial = 0; trial < kTrials; ++trial) {
    for (float& score : scores.row(trial)) {
      score = random.uniform() < q ? 2.0F : 0.0F;
    }
    scores(trial, 0) = 1.0F;
  }
  const std::vector<std::size_t> capacities(kTrials, capacity);
  double successes = 0;
  for (const auto& kept : best_tokens(scores, capacities)) {
    successes += std::ranges::find(kept, 0) != kept.end() ? 1 : 0;
  }
  return successes / kTrials;
}

TEST(Resonance, ExpertChoiceLiesWithinTheBracketsOfTheorem5) {
  constexpr std::size_t kTokens = 8192;
  for (const std::size_t capacity : {64U, 512U, 2048U}) {
    for (const double q : {0.5, 0.1, 0.01, 0.001}) {
      const double success = expert_choice_success(kTokens, q, capacity);
      const double rivals = static_cast<double>(kTokens - 1) * q;
      // 200 trials; where a bracket applies its bound is within 1e-5 of 0 or 1.
      if (static_cast<double>(capacity) <= rivals / 2) {
        EXPECT_LE(success, std::exp(-rivals / 8) + 1e-9);
      }
      if (static_cast<double>(capacity) >= 2 * kTokens * q) {
        EXPECT_GE(success, 1 - std::exp(-3 * static_cast<double>(capacity) / 16) - 1e-4);
      }
    }
  }
}

TEST(Resonance, TokenChoiceWinsEarlyAndExpertChoiceLate) {
  // Tokens that all choose their expert fill it evenly; it keeps C of them, whichever come first.
  constexpr double kTokens = 8192;
  constexpr double kExperts = 8;
  constexpr std::size_t kCapacity = 512;
  const double token_choice = std::min(1.0, kCapacity * kExperts / kTokens);
  EXPECT_LT(expert_choice_success(8192, 0.5, kCapacity), token_choice);
  EXPECT_GT(expert_choice_success(8192, 1e-4, kCapacity), token_choice);
}

TEST(LocMoE, PrefersItsOwnNodeTheMoreTheStrongerTheBias) {
  const Matrix<float> hidden = normal_matrix(2000, 64, 4);
  std::ptrdiff_t before = -1;
  for (const double locality : {0.0, 0.2, 1.0, 100.0}) {
    const auto decision = route(
        "locmoe", {{"locality", locality}, {"ranks", 8}, {"ranks_per_node", 2}}, hidden, 16, 5);
    // Ranks 4 and 5 share a node; with 16 experts on 8 ranks it holds experts 8 to 11.
    const std::ptrdiff_t local = std::ranges::count_if(
        decision.expert_ids.values(), [](std::int32_t id) { return id >= 8 && id < 12; });
    EXPECT_GT(local, before);
    before = local;
  }
  EXPECT_EQ(before, 2000);
}

TEST(LocMoE, HasNothingToPreferOnANodeWithoutExperts) {
  const Matrix<float> hidden = normal_matrix(500, 64, 5);
  const nlohmann::json values{{"locality", 100}, {"ranks", 32}, {"ranks_per_node", 1}};
  // 16 experts on 32 ranks: odd ranks hold none.
  EXPECT_EQ(route("locmoe", values, hidden, 16, 1), route("locmoe", {}, hidden, 16, 1));
}

TEST(GroupedPooling, RefusesMoreExpertsThanCoordinates) {
  EXPECT_THROW(make_router("locmoe")->check_shape(64, 32), InvalidInput);
  EXPECT_THROW(make_router("etr")->check_shape(64, 32), InvalidInput);
}

}  // namespace
}  // namespace switchyard
