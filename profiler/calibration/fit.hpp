// Robust least squares for the constants of an exchange model, with confidence intervals, and the
// choice of the rows that the fit does not see.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "profiler/calibration/exchange_model.hpp"
#include "profiler/measurements/measurement.hpp"

namespace switchyard {

struct FitPoint {
  ExchangeFeatures features;
  double seconds = 0;
};

struct FitOptions {
  std::vector<Constant> free;  // to be fitted
  ModelConstants fixed{};      // values of the others
  std::uint64_t seed = 1;      // of the starting points
  int starts = 12;
};

struct FittedConstant {
  Constant constant = Constant::Launch;
  double value = 0;
  double low = 0;  // 95 % confidence interval; the whole plausible range if not determined
  double high = 0;
  bool is_determined = true;  // false: the points hardly depend on it
};

struct FitResult {
  ModelConstants constants{};
  std::vector<FittedConstant> fitted;  // in the order of FitOptions::free
};

/// Which of `wanted` the points can tell apart: a doubling term needs two group sizes, an SM rate
/// two SM counts, and so on. Throws InvalidInput when more than kMostFitted are left.
std::vector<Constant> determinable(const std::vector<Constant>& wanted,
                                   const std::vector<FitPoint>& points);

/// Minimises the sum of rho(log(predicted / measured)), rho = Cauchy's with a scale of 5 %, over
/// the plausible ranges, from `starts` seeded starting points, by Levenberg-Marquardt (MINPACK's
/// lmder in Eigen). Intervals are those of an M-estimator in the logarithms of the constants.
/// Throws InvalidInput for fewer points than constants and for a time that is not above 0.
FitResult fit_constants(const std::vector<FitPoint>& points, const FitOptions& options);

/// [rows] true = held out. `rule` is "20%" (spread evenly along the times of each operation and
/// group size, the offset drawn from the seed) or "column=value" (all rows that match). Throws
/// InvalidInput for another text, a share outside 0 to 99 %, and a rule that holds out everything.
std::vector<bool> held_out_rows(const std::vector<Measurement>& rows,
                                const std::string& rule,
                                std::uint64_t seed);

}  // namespace switchyard
