// The statistics that the reports quote, each defined once (docs/metrics.md cites these lines).
// All take non-negative loads; an empty or all-zero span gives the value of perfect balance.
#pragma once

#include <span>
#include <vector>

namespace switchyard {

/// Largest load over mean load; 1 = perfectly balanced.
double imbalance(std::span<const double> loads);
/// Population standard deviation over mean; 0 = perfectly balanced.
double coefficient_of_variation(std::span<const double> loads);
/// Gini coefficient, 0 (equal) to 1 - 1/n (all in one).
double gini(std::span<const double> loads);
/// Shannon entropy of the load shares over log(n); 1 = uniform, 0 = all in one.
double normalised_entropy(std::span<const double> loads);
double mean(std::span<const double> values);
double sum(std::span<const double> values);
/// Linear interpolation between order statistics, `fraction` in [0, 1]; 0 for an empty span.
double percentile(std::vector<double> values, double fraction);

}  // namespace switchyard
