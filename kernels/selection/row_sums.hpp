// One number for each row of a table, by the rule "sums" of kernels/device/router_math.cuh.
#pragma once

#include <vector>

#include "core/matrix.hpp"

namespace switchyard {

/// [rows]
std::vector<float> row_means(MatrixView<const float> values);

/// Sum of |value|, [rows].
std::vector<float> magnitude_sums(MatrixView<const float> values);

}  // namespace switchyard
