// Plain formulas over small vectors (experts, ranks, layers): clarity before speed.
#include "core/numbers/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace switchyard {

double sum(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double mean(std::span<const double> values) {
  return values.empty() ? 0.0 : sum(values) / static_cast<double>(values.size());
}

double imbalance(std::span<const double> loads) {
  const double average = mean(loads);
  return average > 0 ? *std::max_element(loads.begin(), loads.end()) / average : 1.0;
}

double coefficient_of_variation(std::span<const double> loads) {
  const double average = mean(loads);
  if (!(average > 0)) {
    return 0;
  }
  double squares = 0;
  for (const double load : loads) {
    squares += (load - average) * (load - average);
  }
  return std::sqrt(squares / static_cast<double>(loads.size())) / average;
}

double gini(std::span<const double> loads) {
  const double total = sum(loads);
  if (!(total > 0)) {
    return 0;
  }
  std::vector<double> sorted(loads.begin(), loads.end());
  std::sort(sorted.begin(), sorted.end());
  const auto n = static_cast<double>(sorted.size());
  double weighted = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    weighted += (2.0 * static_cast<double>(i + 1) - n - 1.0) * sorted[i];
  }
  return weighted / (n * total);
}

double normalised_entropy(std::span<const double> loads) {
  const double total = sum(loads);
  if (!(total > 0) || loads.size() < 2) {
    return 1;
  }
  double entropy = 0;
  for (const double load : loads) {
    const double share = load / total;
    entropy -= share > 0 ? share * std::log(share) : 0;
  }
  return entropy / std::log(static_cast<double>(loads.size()));
}

double percentile(std::vector<double> values, double fraction) {
  if (values.empty()) {
    return 0;
  }
  std::sort(values.begin(), values.end());
  const double position = fraction * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(position));
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return std::lerp(values[below], values[above], position - std::floor(position));
}

}  // namespace switchyard
