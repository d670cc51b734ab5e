#include "cli/calibration/gemm_calibration.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/components/parameters.hpp"

namespace switchyard {
namespace {

using Gemms = std::vector<GemmMeasurement>;

constexpr std::array<std::int64_t, 4> kTiles{1, 64, 128, 256};
constexpr std::size_t kFewestRows = 8;
constexpr double kScale = 0.05;

/// What the search moves: logarithms of the efficiencies, and microseconds.
using Point = std::array<double, 3>;

GemmRates constants_at(const Point& point, std::int64_t tile) {
  return {.compute_efficiency = std::clamp(std::exp(point[0]), 1e-3, 1.0),
          .memory_efficiency = std::clamp(std::exp(point[1]), 1e-3, 1.0),
          .launch_overhead = Seconds{1e-6 * std::max(point[2], 0.0)},
          .row_tile = tile};
}

/// Everything that does not change while constants are tried.
struct Priced {
  ComputeDevice device;
  ModelCost model;
  Matrix<std::int64_t> rows;  // [1, experts]

  explicit Priced(const GemmMeasurement& row) : rows(1, row.rows.size()) {
    Parameters compute(nlohmann::json{{"device", row.device}, {"rates", "peak"}}, row.where);
    device = read_device(compute, "bf16");
    model.hidden = row.hidden;
    model.expert_hidden = row.expert_hidden;
    model.experts = std::ssize(row.rows);
    std::ranges::copy(row.rows, rows.row(0).begin());
  }

  [[nodiscard]] double seconds(const GemmRates& constants) const {
    ComputeDevice with = device;
    with.routed = constants;
    return expert_work(with, model, rows).front().total();
  }
};

class GemmFit {
 public:
  explicit GemmFit(const Gemms& rows) : measured_(rows) {
    for (const GemmMeasurement& row : rows) {
      priced_.emplace_back(row);
    }
  }

  [[nodiscard]] GemmRates best() const {
    constexpr std::array<Point, 3> kStarts{{{-0.5, -0.2, 20}, {-0.1, -0.5, 5}, {-0.8, -0.1, 50}}};
    GemmRates best;
    double least = std::numeric_limits<double>::infinity();
    for (const std::int64_t tile : kTiles) {
      for (const Point& start : kStarts) {
        const Point found = search(start, tile);
        if (const double loss = loss_at(found, tile); loss < least) {
          least = loss;
          best = constants_at(found, tile);
        }
      }
    }
    return best;
  }

 private:
  [[nodiscard]] double loss_at(const Point& point, std::int64_t tile) const {
    const GemmRates constants = constants_at(point, tile);
    double loss = 0;
    for (std::size_t i = 0; i < priced_.size(); ++i) {
      const double error = std::log(priced_[i].seconds(constants) / measured_[i].seconds) / kScale;
      loss += std::log1p(error * error);
    }
    return loss;
  }

  /// A step along one axis where that helps, else steps of half the length.
  [[nodiscard]] Point search(Point at, std::int64_t tile) const {
    Point step{0.2, 0.2, 10};
    double loss = loss_at(at, tile);
    while (step[0] > 1e-4) {
      bool has_moved = false;
      for (std::size_t axis = 0; axis < at.size(); ++axis) {
        for (const double sign : {1.0, -1.0}) {
          Point next = at;
          next[axis] += sign * step[axis];
          if (const double changed = loss_at(next, tile); changed < loss) {
            at = next;
            loss = changed;
            has_moved = true;
          }
        }
      }
      if (!has_moved) {
        std::ranges::transform(step, step.begin(), [](double length) { return length / 2; });
      }
    }
    return at;
  }

  const Gemms& measured_;
  std::vector<Priced> priced_;
};

std::vector<Prediction> predictions_of(const Gemms& rows, const GemmRates& constants) {
  std::vector<Prediction> predictions;
  for (const GemmMeasurement& row : rows) {
    predictions.push_back(
        {.predicted_s = predicted_gemm(row, constants), .measured_s = row.seconds});
  }
  return predictions;
}

/// Each model by constants that have not seen it.
std::vector<Prediction> predictions_from_the_others(const Gemms& rows) {
  std::vector<std::string> models;
  for (const GemmMeasurement& row : rows) {
    if (std::ranges::find(models, row.model) == models.end()) {
      models.push_back(row.model);
    }
  }
  std::vector<Prediction> all;
  for (const std::string& model : models) {
    Gemms unseen;
    Gemms seen;
    std::ranges::partition_copy(
        rows, std::back_inserter(unseen), std::back_inserter(seen), [&](const auto& row) {
          return row.model == model;
        });
    if (seen.size() >= kFewestRows) {
      std::ranges::copy(predictions_of(unseen, GemmFit(seen).best()), std::back_inserter(all));
    }
  }
  return all;
}

GemmCalibration calibrate_device(Gemms rows) {
  if (rows.size() < kFewestRows) {
    throw InvalidInput(fmt::format("{} rows of {} are too few", rows.size(), rows.front().device),
                       rows.front().where,
                       fmt::format("measure at least {}", kFewestRows));
  }
  GemmCalibration result{.device = rows.front().device, .software = rows.front().software};
  result.constants = GemmFit(rows).best();
  result.predictions = predictions_of(rows, result.constants);
  result.at_peak = accuracy_of(predictions_of(rows, {})).fitted;
  result.fitted = accuracy_of(result.predictions).fitted;
  result.from_the_others = accuracy_of(predictions_from_the_others(rows)).fitted;
  result.rows = std::move(rows);
  return result;
}

std::string error_line(const std::string& name, const ErrorSummary& summary) {
  return fmt::format("  {:<28}median {:>5.1f} %   95 % within {:>5.1f} %   bias {:>+6.1f} %\n",
                     name,
                     100 * summary.median,
                     100 * summary.p95,
                     100 * summary.bias);
}

nlohmann::json error_of(const ErrorSummary& summary) {
  const auto rounded = [](double share) { return std::round(1e4 * share) / 1e4; };
  return {{"rows", summary.rows},
          {"median", rounded(summary.median)},
          {"p95", rounded(summary.p95)},
          {"bias", rounded(summary.bias)}};
}

}  // namespace

double predicted_gemm(const GemmMeasurement& row, const GemmRates& constants) {
  return Priced(row).seconds(constants);
}

std::vector<GemmCalibration> calibrate_gemms(const std::vector<GemmMeasurement>& rows) {
  std::vector<Gemms> groups;
  for (const GemmMeasurement& row : rows) {
    auto found = std::ranges::find_if(groups, [&](const Gemms& group) {
      return group.front().device == row.device && group.front().software == row.software;
    });
    if (found == groups.end()) {
      found = groups.emplace(groups.end());
    }
    found->push_back(row);
  }
  std::vector<GemmCalibration> results;
  for (Gemms& group : groups) {
    results.push_back(calibrate_device(std::move(group)));
  }
  return results;
}

std::string gemm_summary(const GemmCalibration& calibration) {
  const GemmRates& constants = calibration.constants;
  std::string text = fmt::format("expert GEMMs on {}: {}, {} rows\n\n",
                                 calibration.device,
                                 calibration.software,
                                 calibration.rows.size());
  text += fmt::format("  compute_efficiency  {:.2f}\n", constants.compute_efficiency);
  text += fmt::format("  memory_efficiency   {:.2f}\n", constants.memory_efficiency);
  text += fmt::format("  launch_overhead     {}\n", format_quantity(constants.launch_overhead));
  text += fmt::format("  row_tile            {}\n\n", constants.row_tile);
  text += error_line("fitted", calibration.fitted);
  if (calibration.from_the_others.rows > 0) {
    text += error_line("each model from the others", calibration.from_the_others);
  }
  text += error_line("at peak rates", calibration.at_peak);
  std::vector<std::size_t> order(calibration.rows.size());
  std::ranges::generate(order, [next = std::size_t{0}]() mutable { return next++; });
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) {
    return std::abs(calibration.predictions[i].error());
  });
  text += "\n  furthest off\n";
  constexpr std::size_t kWorst = 3;
  for (std::size_t i = 0; i < kWorst; ++i) {
    const GemmMeasurement& row = calibration.rows[order[i]];
    const Prediction& prediction = calibration.predictions[order[i]];
    text += fmt::format("  {:<24}{:>6} tokens   measured {:>8}   predicted {:>8}   {:>+6.1f} %\n",
                        row.model,
                        row.tokens,
                        format_quantity(Seconds{prediction.measured_s}),
                        format_quantity(Seconds{prediction.predicted_s}),
                        100 * prediction.error());
  }
  return text;
}

nlohmann::json gemm_document(const std::vector<GemmCalibration>& calibrations) {
  nlohmann::json document = nlohmann::json::object();
  for (const GemmCalibration& calibration : calibrations) {
    const GemmRates& constants = calibration.constants;
    document[calibration.device][calibration.software] = {
        {"compute",
         {{"device", calibration.device},
          {"compute_efficiency", std::round(1e3 * constants.compute_efficiency) / 1e3},
          {"memory_efficiency", std::round(1e3 * constants.memory_efficiency) / 1e3},
          {"launch_overhead", fmt::format("{:.1f}us", 1e6 * constants.launch_overhead.count())},
          {"row_tile", constants.row_tile}}},
        {"error",
         {{"fitted", error_of(calibration.fitted)},
          {"from_the_others", error_of(calibration.from_the_others)},
          {"at_peak", error_of(calibration.at_peak)}}}};
  }
  return document;
}

}  // namespace switchyard
