// Routers in which a token takes experts: each against what its paper says of it.
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "core/numbers/statistics.hpp"
#include "tests/kernels/router_fixture.hpp"

namespace switchyard {
namespace {

/// Logits with some experts liked by all.
Matrix<float> skewed_logits(std::size_t tokens, std::size_t experts) {
  Matrix<float> logits = normal_matrix(tokens, experts, 21);
  for (std::size_t token = 0; token < tokens; ++token) {
    for (std::size_t expert = 0; expert < experts / 8; ++expert) {
      logits(token, expert) += 1.5F;
    }
  }
  return logits;
}

double softmax_of(std::span<const float> row, std::int32_t expert) {
  double sum = 0;
  for (const float logit : row) {
    sum += std::exp(double{logit});
  }
  return std::exp(double{row[static_cast<std::size_t>(expert)]}) / sum;
}

TEST(SwitchTop1, WeighsByTheProbabilityAmongAllExperts) {
  const Matrix<float> logits = normal_matrix(50, 16, 1);
  const auto decision = make_router("switch_top_1")->route(logits_only(logits));
  for (std::size_t token = 0; token < 50; ++token) {
    EXPECT_NEAR(decision.weights(token, 0),
                softmax_of(logits.row(token), decision.expert_ids(token, 0)),
                1e-6);  // float32 rounding of a probability
  }
}

TEST(NoisyTopK, WithoutNoiseIsTopK) {
  const Matrix<float> logits = normal_matrix(100, 32, 2);
  EXPECT_EQ(make_router("noisy_top_k", {{"noise", 0}})->route(logits_only(logits)),
            make_router("top_k", {{"k", 2}, {"executor", "cpu"}})->route(logits_only(logits)));
}

TEST(NoisyTopK, WithOverwhelmingNoiseIsUniform) {
  const Matrix<float> logits = skewed_logits(20000, 16);
  const auto decision = make_router("noisy_top_k", {{"noise", 1e5}})->route(logits_only(logits));
  // 2500 expected per expert: 5 standard deviations are 250, that is 10 %.
  EXPECT_LT(imbalance(loads_of(decision, 16)), 1.1);
}

TEST(NoisyTopK, DrawsOtherNoiseForAnotherSeedLayerStepOrRank) {
  const Matrix<float> logits = normal_matrix(100, 32, 2);
  const auto router = make_router("noisy_top_k");
  const RouterInput input = logits_only(logits);
  const auto first = router->route(input);
  EXPECT_EQ(first, router->route(input));
  for (int changed = 0; changed < 4; ++changed) {
    RouterInput other = input;
    other.seed += changed == 0 ? 1 : 0;
    other.layer += changed == 1 ? 1 : 0;
    other.step += changed == 2 ? 1 : 0;
    other.source_rank += changed == 3 ? 1 : 0;
    EXPECT_NE(first, router->route(other)) << changed;
  }
}

TEST(SigmoidBias, SelectsByBiasButWeighsWithoutIt) {
  const Matrix<float> logits = matrix_of({{2.0F, 1.0F, 0.0F, -1.0F}});
  const auto decision =
      make_router("sigmoid_bias", {{"k", 2}, {"bias", {0, 0, 0, 5}}})->route(logits_only(logits));
  EXPECT_EQ(decision.expert_ids, matrix_of<std::int32_t>({{3, 0}}));
  const double last = 1 / (1 + std::exp(1.0));
  const double first = 1 / (1 + std::exp(-2.0));
  EXPECT_NEAR(decision.weights(0, 0), last / (last + first), 1e-6);  // float32 rounding
  EXPECT_NEAR(decision.weights(0, 1), first / (last + first), 1e-6);
}

TEST(SigmoidBias, BalancesWhenTheBiasIsTrained) {
  const Matrix<float> logits = skewed_logits(2000, 64);
  const double raw =
      imbalance(loads_of(make_router("sigmoid_bias", {{"k", 4}})->route(logits_only(logits)), 64));
  const double trained = imbalance(
      loads_of(make_router("sigmoid_bias", {{"k", 4}, {"bias_rounds", 200}, {"bias_rate", 0.005}})
                   ->route(logits_only(logits)),
               64));
  EXPECT_GT(raw, 2.0);
  EXPECT_LT(trained, 1.15);
}

TEST(SigmoidBias, RefusesABiasForAnotherModel) {
  EXPECT_THROW(make_router("sigmoid_bias", {{"k", 2}, {"bias", {1, 2}}})->check_shape(4, 8),
               InvalidInput);
  EXPECT_THROW(make_router("sigmoid_bias", {{"bias", {1, "two"}}}), InvalidInput);
}

TEST(GroupLimitedTopK, UsesNoMoreGroupsThanAllowed) {
  const Matrix<float> logits = normal_matrix(500, 64, 3);
  for (const char* score : {"sigmoid", "softmax"}) {
    const auto decision = make_router("group_limited_top_k", {{"kept_groups", 3}, {"score", score}})
                              ->route(logits_only(logits));
    for (std::size_t token = 0; token < 500; ++token) {
      std::set<std::int32_t> groups;
      for (const std::int32_t id : decision.expert_ids.row(token)) {
        groups.insert(id / 8);
      }
      ASSERT_LE(groups.size(), 3U);
    }
  }
}

TEST(GroupLimitedTopK, RanksGroupsAsToldByTheBestOrTheBestTwo) {
  // Group 0 has the best expert, group 1 the best two.
  const Matrix<float> logits = matrix_of({{3.0F, -9.0F, 2.0F, 2.0F}});
  const nlohmann::json values{{"k", 1}, {"groups", 2}, {"kept_groups", 1}};
  nlohmann::json best = values;
  best["group_score"] = "best";
  EXPECT_EQ(make_router("group_limited_top_k", best)->route(logits_only(logits)).expert_ids(0, 0),
            0);
  EXPECT_EQ(make_router("group_limited_top_k", values)->route(logits_only(logits)).expert_ids(0, 0),
            2);
}

TEST(GroupLimitedTopK, KeepingAllGroupsIsOrdinaryTopK) {
  const Matrix<float> logits = normal_matrix(200, 64, 4);
  const auto limited =
      make_router("group_limited_top_k", {{"k", 4}, {"kept_groups", 8}, {"score", "softmax"}})
          ->route(logits_only(logits));
  EXPECT_EQ(
      limited.expert_ids,
      make_router("top_k", {{"k", 4}, {"executor", "cpu"}})->route(logits_only(logits)).expert_ids);
}

TEST(GroupLimitedTopK, RefusesUnequalGroups) {
  EXPECT_THROW(make_router("group_limited_top_k")->check_shape(60, 8), InvalidInput);
  EXPECT_THROW(make_router("group_limited_top_k", {{"kept_groups", 9}}), InvalidInput);
}

TEST(Hash, DependsOnTheTokenIdAlone) {
  const Matrix<float> logits(6, 16);
  const std::vector<std::int64_t> ids{7, 8, 7, 9, 8, 7};
  RouterInput input = logits_only(logits);
  input.token_ids = ids;
  const auto decision = make_router("hash", {{"k", 2}})->route(input);
  for (std::size_t token : {2U, 5U}) {
    EXPECT_TRUE(std::ranges::equal(decision.expert_ids.row(0), decision.expert_ids.row(token)));
  }
  EXPECT_THROW(make_router("hash")->route(logits_only(logits)), InvalidInput);
}

TEST(Random, WithoutSkewIsUniform) {
  const Matrix<float> logits(20000, 16);
  // 2500 expected per expert: 5 standard deviations are 250, that is 10 %.
  EXPECT_LT(imbalance(loads_of(make_router("random")->route(logits_only(logits)), 16)), 1.1);
}

TEST(Random, HasTheLoadsOfTheSkewedRouterOfMoEShard) {
  constexpr std::size_t kTokens = 100000;
  const Matrix<float> logits(kTokens, 128);
  const auto decision =
      make_router("random", {{"k", 1}, {"skew", 0.6}, {"hot", 13}})->route(logits_only(logits));
  const std::vector<double> loads = loads_of(decision, 128);
  double hot = 0;
  for (std::size_t expert = 0; expert < 13; ++expert) {
    hot += loads[expert] / kTokens;
  }
  EXPECT_NEAR(hot, 0.898, 0.005);  // 5 standard errors of 100,000 draws
  // The largest of 13 equal shares of 6.9 % lies a few standard errors (1.2 %) above 8.84.
  EXPECT_NEAR(imbalance(loads), 8.84, 0.35);
}

TEST(TopP, TakesTheFewestExpertsThatReachP) {
  const Matrix<float> logits = normal_matrix(300, 16, 5);
  const auto decision =
      make_router("top_p", {{"p", 0.6}, {"width", 16}})->route(logits_only(logits));
  for (std::size_t token = 0; token < 300; ++token) {
    double sum = 0;
    double before_last = 0;
    for (const std::int32_t id : decision.expert_ids.row(token)) {
      if (id != kNoExpert) {
        before_last = sum;
        sum += softmax_of(logits.row(token), id);
      }
    }
    ASSERT_GE(sum, 0.6 - 1e-6);  // float32 rounding of the sum
    ASSERT_LT(before_last, 0.6 + 1e-6);
  }
}

TEST(Sinkhorn, GivesEveryExpertItsShareOfTheBalancedMatrix) {
  const Matrix<float> logits = skewed_logits(4000, 16);
  const double raw =
      imbalance(loads_of(make_router("switch_top_1")->route(logits_only(logits)), 16));
  const double balanced =
      imbalance(loads_of(make_router("sinkhorn")->route(logits_only(logits)), 16));
  EXPECT_GT(raw, 2.0);
  // Marginals are exact, the argmax of each row is not: a few per cent remain.
  EXPECT_LT(balanced, 1.2);
}

}  // namespace
}  // namespace switchyard
