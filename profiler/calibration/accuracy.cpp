#include "profiler/calibration/accuracy.hpp"

#include <cmath>

#include "core/numbers/statistics.hpp"

namespace switchyard {
namespace {

ErrorSummary summary_of(const std::vector<double>& errors) {
  std::vector<double> absolute;
  absolute.reserve(errors.size());
  for (const double error : errors) {
    absolute.push_back(std::abs(error));
  }
  return {.rows = static_cast<std::int64_t>(errors.size()),
          .median = percentile(absolute, 0.5),
          .p95 = percentile(absolute, 0.95),
          .largest = percentile(absolute, 1),
          .bias = percentile(errors, 0.5)};
}

}  // namespace

Accuracy accuracy_of(const std::vector<Prediction>& predictions) {
  std::vector<double> fitted;
  std::vector<double> held_out;
  for (const Prediction& prediction : predictions) {
    (prediction.is_held_out ? held_out : fitted).push_back(prediction.error());
  }
  std::map<Regime, std::vector<double>> by_regime;
  for (const Prediction& prediction : predictions) {
    if (prediction.is_held_out || held_out.empty()) {
      by_regime[prediction.regime].push_back(prediction.error());
    }
  }
  Accuracy accuracy{.fitted = summary_of(fitted), .held_out = summary_of(held_out)};
  for (const auto& [regime, errors] : by_regime) {
    accuracy.by_regime[regime] = summary_of(errors);
  }
  return accuracy;
}

}  // namespace switchyard
