// How far predictions are from measurements, in the figures that Switchyard quotes everywhere:
// median and 95th percentile of |predicted / measured - 1|.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "profiler/calibration/exchange_model.hpp"

namespace switchyard {

struct Prediction {
  double predicted_s = 0;
  double measured_s = 0;
  Regime regime = Regime::Bandwidth;
  bool is_held_out = false;

  /// Signed: 0.1 = predicted 10 % too long.
  [[nodiscard]] double error() const { return predicted_s / measured_s - 1; }
};

/// Shares, not percents; all 0 for no rows.
struct ErrorSummary {
  std::int64_t rows = 0;
  double median = 0;  // of the absolute errors
  double p95 = 0;
  double largest = 0;
  double bias = 0;  // median of the signed errors
};

struct Accuracy {
  ErrorSummary fitted;
  ErrorSummary held_out;
  std::map<Regime, ErrorSummary> by_regime;  // of the held-out rows; of all where none is

  /// What a user should expect: of the held-out rows, or of the fitted ones where none was.
  [[nodiscard]] const ErrorSummary& expected() const {
    return held_out.rows > 0 ? held_out : fitted;
  }
};

Accuracy accuracy_of(const std::vector<Prediction>& predictions);

}  // namespace switchyard
