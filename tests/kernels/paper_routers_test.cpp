// Routers that bend top-k: each against what its paper says of it.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "core/numbers/statistics.hpp"
#include "tests/kernels/router_fixture.hpp"

namespace switchyard {
namespace {

RoutingDecision top_2(const Matrix<float>& logits) {
  return make_router("top_k", {{"k", 2}, {"executor", "cpu"}})->route(logits_only(logits));
}

TEST(AdapMoE, LeavesTheSecondExpertOutExactlyBelowItsThreshold) {
  const Matrix<float> logits = normal_matrix(1000, 8, 1);
  const auto full = top_2(logits);
  const auto got = make_router("adapmoe", {{"threshold", 0.05}, {"sensitivity", {1.0}}})
                       ->route(logits_only(logits));
  std::size_t alone = 0;
  for (std::size_t token = 0; token < 1000; ++token) {
    const double second = full.weights(token, 1);
    const bool is_alone = second * second < 0.05;
    ASSERT_EQ(got.expert_ids(token, 1), is_alone ? kNoExpert : full.expert_ids(token, 1));
    ASSERT_EQ(got.weights(token, 0), is_alone ? 1.0F : full.weights(token, 0));
    alone += is_alone ? 1 : 0;
  }
  EXPECT_GT(alone, 0U);
  EXPECT_LT(alone, 1000U);
}

TEST(AdapMoE, KeepsEverythingAtThresholdZeroAndPrunesMoreInDeeperLayers) {
  const Matrix<float> logits = normal_matrix(1000, 8, 2);
  EXPECT_EQ(make_router("adapmoe", {{"threshold", 0}})->route(logits_only(logits)), top_2(logits));
  const auto router = make_router("adapmoe");
  std::ptrdiff_t before = 0;
  for (const std::int64_t layer : {0, 15, 31}) {
    RouterInput input = logits_only(logits);
    input.layer = layer;
    const std::ptrdiff_t alone =
        std::ranges::count(router->route(input).expert_ids.values(), kNoExpert);
    EXPECT_GE(alone, before);
    before = alone;
  }
  EXPECT_GT(before, 100);
}

TEST(McMoE, AtTheMedianRatioDropsAQuarterOfTheSelections) {
  const Matrix<float> logits = normal_matrix(1001, 8, 3);
  const Matrix<float> hidden = normal_matrix(1001, 16, 4);
  const Matrix<float> gate(8, 16);
  const auto full = top_2(logits);
  std::vector<double> ratios;
  for (std::size_t token = 0; token < 1001; ++token) {
    ratios.push_back(double{full.weights(token, 1)} / double{full.weights(token, 0)});
  }
  RouterInput input = logits_only(logits);
  input.hidden = hidden.view();
  input.gate = gate.view();
  const double median = percentile(ratios, 0.5);
  const auto got = make_router("mc_moe", {{"ratio", median}, {"protected", 0}})->route(input);
  // Half of the second experts; the median token itself may fall either way by rounding.
  EXPECT_NEAR(static_cast<double>(std::ranges::count(got.expert_ids.values(), kNoExpert)), 500, 1);
}

TEST(McMoE, ProtectsTheTokensOfLargestNorm) {
  Matrix<float> logits(100, 4);
  for (std::size_t token = 0; token < 100; ++token) {
    logits(token, 0) = 5.0F;  // the second weight is far below half of the first
  }
  Matrix<float> hidden(100, 8, 1.0F);
  for (const std::size_t token : {17U, 60U}) {
    std::ranges::fill(hidden.row(token), -3.0F);
  }
  const Matrix<float> gate(4, 8);
  RouterInput input = logits_only(logits);
  input.hidden = hidden.view();
  input.gate = gate.view();
  const auto got = make_router("mc_moe")->route(input);
  for (std::size_t token = 0; token < 100; ++token) {
    EXPECT_EQ(got.expert_ids(token, 1) != kNoExpert, token == 17 || token == 60) << token;
  }
}

TEST(MoEPlusPlus, WithoutFreeExpertsAndResidualsIsTopTwo) {
  const Matrix<float> logits = normal_matrix(300, 16, 5);
  const auto got =
      make_router("moe_plus_plus", {{"zero", 0}, {"copy", 0}, {"constant", 0}, {"residual", 0}})
          ->route(logits_only(logits));
  const auto plain = top_2(logits);
  EXPECT_EQ(got.expert_ids, plain.expert_ids);
  for (std::size_t token = 0; token < 300; ++token) {
    // Renormalising after the full softmax rounds differently: a few units of float32.
    EXPECT_NEAR(got.weights(token, 0), plain.weights(token, 0), 1e-6);
  }
}

TEST(MoEPlusPlus, GivesAZeroExpertNoWeightAndTheOtherAllOfIt) {
  const Matrix<float> logits = matrix_of({{1.0F, 0.0F, 0.0F, 0.0F, 0.0F, 2.0F}});
  const auto got = make_router("moe_plus_plus")->route(logits_only(logits));
  EXPECT_EQ(got.expert_ids, matrix_of<std::int32_t>({{5, 0}}));
  EXPECT_EQ(got.weights, matrix_of<float>({{0.0F, 1.0F}}));
}

TEST(MoEPlusPlus, CarriesLogitsFromLayerToLayer) {
  const Matrix<float> first = matrix_of({{4.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F}});
  const Matrix<float> second = matrix_of({{0.0F, 1.0F, 0.0F, 0.0F, 0.0F, 0.0F}});
  const auto router = make_router("moe_plus_plus");
  const RoutingDecision before = router->route(logits_only(first));
  RouterInput input = logits_only(second);
  EXPECT_EQ(router->route(input).expert_ids(0, 0), 1);
  input.previous_layer = &before;
  EXPECT_EQ(router->route(input).expert_ids(0, 0), 0);  // 4 * 0.5 > 1
}

// MPP-3, the router's side.
TEST(MoEPlusPlus, FillsHeterogeneousCapacityWithAllSlots) {
  // All tokens want the same experts in turn: with factor 1 the capacities add up to the slots.
  constexpr std::size_t kTokens = 1200;
  const Matrix<float> logits = normal_matrix(kTokens, 12, 6);
  const auto got = make_router("moe_plus_plus",
                               {{"zero", 1},
                                {"copy", 1},
                                {"constant", 2},
                                {"tau", 0.75},
                                {"residual", 0},
                                {"capacity_factor", 1.0}})
                       ->route(logits_only(logits));
  const std::vector<double> loads = loads_of(got, 12);
  const double free_room = 2.0 * kTokens / (0.75 * 8 + 4);  // 240
  for (std::size_t expert = 0; expert < 12; ++expert) {
    EXPECT_LE(loads[expert], expert < 8 ? 0.75 * free_room : free_room);
  }
  EXPECT_DOUBLE_EQ(8 * 0.75 * free_room + 4 * free_room, 2.0 * kTokens);
  EXPECT_EQ(loads[0], 0.75 * free_room);  // uniform demand is 200: ordinary experts overflow
}

// MOMA-1.
TEST(MoMa, BalancesExactlyInsideAModalityAndByTokensBetweenThem) {
  constexpr std::size_t kTokens = 800;
  const Matrix<float> logits = normal_matrix(kTokens, 8, 7);
  std::vector<std::uint8_t> modality(kTokens, 0);
  std::fill_n(modality.begin(), 200, std::uint8_t{1});
  RouterInput input = logits_only(logits);
  input.modality = modality;
  const auto got = make_router("moma", {{"width", 8}})->route(input);
  const std::vector<double> loads = loads_of(got, 8);
  for (std::size_t expert = 0; expert < 8; ++expert) {
    EXPECT_EQ(loads[expert], expert < 4 ? 150.0 : 50.0);  // 600 text, 200 image tokens; 4 experts
  }
  for (std::size_t token = 0; token < kTokens; ++token) {
    for (const std::int32_t id : got.expert_ids.row(token)) {
      ASSERT_TRUE(id == kNoExpert || (id >= 4) == (modality[token] == 1));
    }
  }
}

TEST(ReadMe, DecidesOnceForAllLayers) {
  const Matrix<float> first = normal_matrix(50, 16, 8);
  const Matrix<float> second = normal_matrix(50, 16, 9);
  const auto router = make_router("read_me");
  const RoutingDecision before = router->route(logits_only(first));
  EXPECT_EQ(before, top_2(first));
  RouterInput input = logits_only(second);
  input.previous_layer = &before;
  input.layer = 1;
  EXPECT_EQ(router->route(input), before);
}

TEST(MoR1E, RoutesAllTokensOfASequenceAlike) {
  const Matrix<float> logits = normal_matrix(60, 16, 10);
  std::vector<std::int64_t> sequences;
  for (std::int64_t token = 0; token < 60; ++token) {
    sequences.push_back(token % 3);
  }
  RouterInput input = logits_only(logits);
  input.sequence_ids = sequences;
  const auto got = make_router("mor1e")->route(input);
  Matrix<float> means(3, 16);
  for (std::size_t token = 0; token < 60; ++token) {
    for (std::size_t expert = 0; expert < 16; ++expert) {
      means(token % 3, expert) += logits(token, expert) / 20;
    }
  }
  const auto expected = top_2(means);
  for (std::size_t token = 0; token < 60; ++token) {
    EXPECT_TRUE(std::ranges::equal(got.expert_ids.row(token), expected.expert_ids.row(token % 3)));
  }
}

TEST(MixtureOfDepths, LetsTheAskedShareOfTokensIntoSparseLayers) {
  const Matrix<float> logits = normal_matrix(800, 16, 11);
  const auto router = make_router("mixture_of_depths", {{"capacity", 0.25}});
  RouterInput input = logits_only(logits);
  const auto full = router->route(input);
  EXPECT_EQ(std::ranges::count(full.alive, 1), 800);
  EXPECT_EQ(full.expert_ids, top_2(logits).expert_ids);
  input.layer = 1;
  const auto sparse = router->route(input);
  EXPECT_EQ(std::ranges::count(sparse.alive, 1), 200);
  EXPECT_EQ(std::ranges::count(sparse.expert_ids.values(), kNoExpert), 2 * 600);
  double least_alive = 1e30;
  double most_asleep = -1e30;
  for (std::size_t token = 0; token < 800; ++token) {
    double sum = 0;
    for (const float logit : logits.row(token)) {
      sum += double{logit};
    }
    (sparse.alive[token] != 0 ? least_alive : most_asleep) =
        sparse.alive[token] != 0 ? std::min(least_alive, sum) : std::max(most_asleep, sum);
  }
  EXPECT_GE(least_alive, most_asleep - 1e-5);  // scores are float32 means
}

}  // namespace
}  // namespace switchyard
