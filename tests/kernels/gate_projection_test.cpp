// The projection against float64, and the promise that a token's logits are its own business.
#include "kernels/stages/gate_projection.hpp"

#include <cmath>

#include <gtest/gtest.h>
#include <omp.h>

#include "tests/kernels/router_fixture.hpp"

namespace switchyard {
namespace {

Matrix<float> project(const Matrix<float>& hidden, const Matrix<float>& gate) {
  Matrix<float> logits(hidden.rows(), gate.rows());
  GateProjection(gate.view()).project(hidden.view(), logits.view());
  return logits;
}

TEST(GateProjection, IsTheMatrixProduct) {
  for (const std::size_t experts : {1U, 7U, 64U, 256U}) {
    for (const std::size_t width : {3U, 64U, 1000U}) {
      const Matrix<float> hidden = normal_matrix(150, width, 1);
      const Matrix<float> gate = normal_matrix(experts, width, 2);
      const Matrix<float> logits = project(hidden, gate);
      for (std::size_t token = 0; token < hidden.rows(); ++token) {
        for (std::size_t expert = 0; expert < experts; ++expert) {
          double exact = 0;
          for (std::size_t at = 0; at < width; ++at) {
            exact += double{hidden(token, at)} * double{gate(expert, at)};
          }
          // A sum of n products of unit normals errs by about sqrt(n) half ulps of sqrt(n).
          ASSERT_NEAR(logits(token, expert), exact, 3e-7 * static_cast<double>(width) + 1e-6);
        }
      }
    }
  }
}

TEST(GateProjection, GivesATokenTheSameBitsInAnyCompany) {
  const Matrix<float> gate = normal_matrix(64, 512, 3);
  const Matrix<float> hidden = normal_matrix(300, 512, 4);
  const Matrix<float> all = project(hidden, gate);
  for (const std::size_t count : {1U, 31U, 128U, 129U}) {
    Matrix<float> some(count, 512);
    std::copy_n(hidden.values().begin(), count * 512, some.values().begin());
    const Matrix<float> logits = project(some, gate);
    for (std::size_t token = 0; token < count; ++token) {
      ASSERT_TRUE(std::ranges::equal(logits.row(token), all.row(token))) << count;
    }
  }
}

TEST(GateProjection, DoesNotDependOnTheNumberOfThreads) {
  const Matrix<float> gate = normal_matrix(64, 256, 5);
  const Matrix<float> hidden = normal_matrix(700, 256, 6);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Matrix<float> alone = project(hidden, gate);
  omp_set_num_threads(3);
  const Matrix<float> together = project(hidden, gate);
  omp_set_num_threads(threads);
  EXPECT_EQ(alone, together);
}

TEST(GateProjection, TakesNoTokens) {
  EXPECT_TRUE(project(Matrix<float>(0, 32), normal_matrix(4, 32, 7)).empty());
}

}  // namespace
}  // namespace switchyard
