// The softmax top-k against float64, and its parameters.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "kernels/selection/row_selection.hpp"
#include "tests/kernels/router_fixture.hpp"

namespace switchyard {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<std::int32_t> order_of(std::span<const float> row) {
  std::vector<std::int32_t> order;
  for (std::size_t expert = 0; expert < row.size(); ++expert) {
    if (row[expert] > -kInfinity) {
      order.push_back(static_cast<std::int32_t>(expert));
    }
  }
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return row[static_cast<std::size_t>(a)] > row[static_cast<std::size_t>(b)];
  });
  return order;
}

std::vector<std::int32_t> select(std::span<const float> row, std::size_t top_k) {
  std::vector<std::int32_t> ids(top_k);
  RowSelector(row.size(), top_k).select(row, ids);
  return ids;
}

TEST(RowSelector, AgreesWithAStableSortForAnyShape) {
  RandomStream random(3, {});
  for (const std::size_t experts : {1U, 2U, 31U, 32U, 33U, 64U, 100U, 256U, 1000U}) {
    for (const std::size_t top_k : {1U, 2U, 8U, 31U, 33U, 64U}) {
      for (int round = 0; round < 20; ++round) {
        std::vector<float> row(experts);
        random.fill_normal(row);
        for (float& score : row) {  // ties in half of the rounds, invalid scores in some
          score = round % 2 == 0 ? std::round(score) : score;
          score = round % 5 == 4 && random.index(3) == 0 ? kNan : score;
        }
        std::vector<std::int32_t> expected = order_of(row);
        expected.resize(top_k, kNoExpert);
        ASSERT_EQ(select(row, top_k), expected) << experts << " experts, top " << top_k;
      }
    }
  }
}

TEST(RowSelector, TakesTheLowerIndexAmongEqualsAndTreatsBothZerosAlike) {
  EXPECT_EQ(select(std::vector<float>{-0.0F, 0.0F, -0.0F, -1.0F}, 3),
            (std::vector<std::int32_t>{0, 1, 2}));
  EXPECT_EQ(select(std::vector<float>(100, 4.0F), 3), (std::vector<std::int32_t>{0, 1, 2}));
}

TEST(RowSelector, LeavesPlacesEmptyWhereTooFewScoresAreNumbers) {
  EXPECT_EQ(select(std::vector<float>{kNan, -kInfinity, 2.0F, kInfinity, kNan}, 4),
            (std::vector<std::int32_t>{3, 2, kNoExpert, kNoExpert}));
}

class TopKWeights : public testing::TestWithParam<bool> {};

TEST_P(TopKWeights, AreTheFloat64SoftmaxToRounding) {
  const bool renormalise = GetParam();
  for (const std::size_t experts : {7U, 60U, 64U, 255U}) {
    const Matrix<float> logits = normal_matrix(200, experts, 11);
    const auto decision =
        make_router("top_k", {{"k", 6}, {"renormalise", renormalise}})->route(logits_only(logits));
    for (std::size_t token = 0; token < logits.rows(); ++token) {
      const auto order = order_of(logits.row(token));
      const auto exponential = [&](std::int32_t expert) {
        return std::exp(double{logits(token, static_cast<std::size_t>(expert))});
      };
      double sum = 0;
      for (std::size_t rank = 0; rank < (renormalise ? 6 : experts); ++rank) {
        sum += exponential(order[rank]);
      }
      for (std::size_t slot = 0; slot < 6; ++slot) {
        ASSERT_EQ(decision.expert_ids(token, slot), order[slot]);
        // exp is good to 2 ulp and its argument to half an ulp of about 8; 2e-6 covers both.
        ASSERT_NEAR(decision.weights(token, slot) * sum / exponential(order[slot]), 1.0, 2e-6);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Both, TopKWeights, testing::Bool());

TEST(TopK, SharesEquallyAmongInfinities) {
  const Matrix<float> logits = matrix_of({{kInfinity, 1.0F, kInfinity, 2.0F}});
  const auto decision = make_router("top_k", {{"k", 3}})->route(logits_only(logits));
  EXPECT_EQ(decision.expert_ids, matrix_of<std::int32_t>({{0, 2, 3}}));
  EXPECT_EQ(decision.weights, matrix_of<float>({{0.5F, 0.5F, 0.0F}}));
}

TEST(TopK, ScalesItsWeights) {
  const Matrix<float> logits = matrix_of({{3.0F, 3.0F, -kInfinity}});
  const auto decision =
      make_router("top_k", {{"k", 2}, {"scale", 2.5}})->route(logits_only(logits));
  EXPECT_EQ(decision.weights, matrix_of<float>({{1.25F, 1.25F}}));
}

TEST(TopK, ChecksItsParameters) {
  EXPECT_THROW(make_router("top_k", {{"k", 0}}), InvalidInput);
  EXPECT_THROW(make_router("top_k", {{"k", "two"}}), InvalidInput);
  EXPECT_THROW(make_router("top_k", {{"kk", 2}}), InvalidInput);
}

}  // namespace
}  // namespace switchyard
