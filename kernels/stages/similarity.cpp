// The squared length of the sum of n unit vectors is n plus twice the sum of their pairwise
// cosines.
#include "kernels/stages/similarity.hpp"

#include <cmath>
#include <vector>

#include "core/check.hpp"

namespace switchyard {

std::optional<double> mean_pairwise_cosine(MatrixView<const float> rows) {
  std::vector<double> sum(rows.columns());
  double count = 0;
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    double square = 0;
    for (const float value : rows.row(row)) {
      square += double{value} * double{value};
    }
    if (!(square > 0) || !std::isfinite(square)) {
      continue;
    }
    count += 1;
    const double scale = 1 / std::sqrt(square);
    for (std::size_t at = 0; at < sum.size(); ++at) {
      sum[at] += double{rows(row, at)} * scale;
    }
  }
  if (count < 2) {
    return std::nullopt;
  }
  double square = 0;
  for (const double value : sum) {
    square += value * value;
  }
  return (square - count) / (count * (count - 1));
}

std::optional<double> routed_similarity(MatrixView<const float> hidden,
                                        std::span<const std::int32_t> best_experts,
                                        std::size_t experts) {
  SWITCHYARD_CHECK(best_experts.size() == hidden.rows(), "one expert for each token");
  // A mean and a sum point the same way.
  Matrix<float> sums(experts, hidden.columns());
  for (std::size_t token = 0; token < hidden.rows(); ++token) {
    if (best_experts[token] >= 0) {
      const auto sum = sums.row(static_cast<std::size_t>(best_experts[token]));
      for (std::size_t at = 0; at < sum.size(); ++at) {
        sum[at] += hidden(token, at);
      }
    }
  }
  return mean_pairwise_cosine(sums.view());
}

}  // namespace switchyard
