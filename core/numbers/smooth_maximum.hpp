// A maximum without a corner, for costs that partly overlap.
#pragma once

#include <algorithm>
#include <cmath>

namespace switchyard {

/// (a^p + b^p)^(1/p) for a, b >= 0 and p >= 1: the sum at p = 1, the larger of the two as p grows.
inline double smooth_maximum(double a, double b, double p) {
  const double largest = std::max(a, b);
  if (largest <= 0) {
    return 0;
  }
  const double share = std::min(a, b) / largest;
  return p == 1 ? a + b : largest * std::pow(1 + std::pow(share, p), 1 / p);
}

}  // namespace switchyard
