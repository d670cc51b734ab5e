// How alike experts are, and the generator's knob for it (OMoE, section 11 of the design notes).
#include "kernels/stages/similarity.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "tests/kernels/router_fixture.hpp"

namespace switchyard {
namespace {

TEST(Similarity, IsTheMeanCosineOverPairs) {
  const Matrix<float> rows = normal_matrix(7, 40, 1);
  double sum = 0;
  for (std::size_t one = 0; one < 7; ++one) {
    for (std::size_t other = one + 1; other < 7; ++other) {
      double dot = 0;
      double squares[2] = {0, 0};
      for (std::size_t at = 0; at < 40; ++at) {
        dot += double{rows(one, at)} * double{rows(other, at)};
        squares[0] += double{rows(one, at)} * double{rows(one, at)};
        squares[1] += double{rows(other, at)} * double{rows(other, at)};
      }
      sum += dot / std::sqrt(squares[0] * squares[1]);
    }
  }
  EXPECT_NEAR(mean_pairwise_cosine(rows.view()).value(), sum / 21, 1e-12);
}

TEST(Similarity, IsOneForEqualRowsAndNoneForOne) {
  Matrix<float> rows(5, 12);
  for (std::size_t row = 0; row < 5; ++row) {
    std::fill_n(rows.row(row).begin(), 12, 0.5F * static_cast<float>(row + 1));
  }
  EXPECT_NEAR(mean_pairwise_cosine(rows.view()).value(), 1.0, 1e-12);
  EXPECT_EQ(mean_pairwise_cosine(Matrix<float>(5, 12).view()), std::nullopt);  // no length
  EXPECT_EQ(mean_pairwise_cosine(normal_matrix(1, 12, 2).view()), std::nullopt);
}

TEST(Similarity, OfRoutedTokensComparesTheMeansOfExperts) {
  const Matrix<float> hidden = matrix_of({{1, 0}, {3, 0}, {0, 2}, {5, 5}});
  const std::int32_t best[] = {0, 0, 2, kNoExpert};
  EXPECT_NEAR(routed_similarity(hidden.view(), best, 4).value(), 0.0, 1e-12);
  const std::int32_t mixed[] = {0, 1, 1, kNoExpert};
  EXPECT_NEAR(routed_similarity(hidden.view(), mixed, 4).value(), 3 / std::sqrt(13.0), 1e-7);
}

double similarity_of_gate(const nlohmann::json& values) {
  nlohmann::json all{{"hidden", 128}, {"experts", 32}, {"topics", 4}};
  all.update(values);
  const Matrix<float> gate = make_workload("latent_clusters", all)->gate(0);
  return mean_pairwise_cosine(gate.view()).value();
}

TEST(Similarity, OfAnOrthogonalGateIsTheKnob) {
  double before = -1;
  for (const double asked : {0.0, 0.1, 0.25, 0.5, 0.9, 1.0}) {
    const double got = similarity_of_gate({{"orthogonal_gate", true}, {"gate_similarity", asked}});
    EXPECT_NEAR(got, asked, 1e-6);
    EXPECT_GT(got, before);
    before = got;
  }
}

TEST(Similarity, OfARandomGateRisesWithTheKnob) {
  double before = -1;
  for (const double asked : {0.0, 0.1, 0.25, 0.5, 0.9, 1.0}) {
    const double got = similarity_of_gate({{"gate_similarity", asked}});
    EXPECT_GT(got, before);
    before = got;
  }
}

TEST(Similarity, RefusesMoreOrthogonalRowsThanCoordinates) {
  EXPECT_THROW(
      make_workload("latent_clusters",
                    {{"hidden", 32}, {"experts", 32}, {"topics", 2}, {"orthogonal_gate", true}}),
      InvalidInput);
}

}  // namespace
}  // namespace switchyard
