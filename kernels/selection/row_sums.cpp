#include "kernels/selection/row_sums.hpp"

#include <cmath>

#include "kernels/device/router_math.cuh"
#include "kernels/selection/parallel_rows.hpp"

namespace switchyard {
namespace {

/// pairwise_sum(transform(value)) / divisor of each row.
template <class Transform>
std::vector<float> sums_of(MatrixView<const float> values,
                           float divisor,
                           const Transform& transform) {
  std::vector<float> sums(values.rows());
  for_each_token(
      values.rows(),
      [&] { return std::vector<float>(values.columns()); },
      [&](std::size_t row, std::vector<float>& terms) {
        for (std::size_t column = 0; column < terms.size(); ++column) {
          terms[column] = transform(values(row, column));
        }
        const float sum = pairwise_sum(terms.data(), static_cast<int>(terms.size()));
        sums[row] = divide_rounded(sum, divisor);
      });
  return sums;
}

}  // namespace

std::vector<float> row_means(MatrixView<const float> values) {
  return sums_of(values, static_cast<float>(values.columns()), [](float value) { return value; });
}

std::vector<float> magnitude_sums(MatrixView<const float> values) {
  return sums_of(values, 1.0F, [](float value) { return std::fabs(value); });
}

}  // namespace switchyard
