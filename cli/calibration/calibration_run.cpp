#include "cli/calibration/calibration_run.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "cli/calibration/benchmark_exchange.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kWorstRows = 3;

std::string family_of(ExchangeKind kind) {
  switch (kind) {
    case ExchangeKind::AllToAll:
      return "collective";
    case ExchangeKind::LowLatencyDispatch:
    case ExchangeKind::LowLatencyCombine:
      return "low_latency";
    case ExchangeKind::NormalDispatch:
    case ExchangeKind::NormalCombine:
      return "normal";
    case ExchangeKind::NvlinkDispatch:
    case ExchangeKind::NvlinkCombine:
      return "nvlink";
  }
  throw InternalError("an exchange kind without a model");
}

std::string direction_of(ExchangeKind kind) {
  if (kind == ExchangeKind::AllToAll) {
    return "any";
  }
  return is_combine(kind) ? "combine" : "dispatch";
}

std::vector<Measurement> selected_rows(const CalibrationRequest& request) {
  std::vector<Measurement> rows;
  for (const std::filesystem::path& file : request.files) {
    MeasurementTable table = read_measurements(file, request.defaults);
    rows.insert(rows.end(),
                std::make_move_iterator(table.rows.begin()),
                std::make_move_iterator(table.rows.end()));
  }
  for (const std::string& condition : request.selection) {
    rows = select_rows(rows, condition);
  }
  require_usable(rows);
  return rows;
}

/// Rows by direction; a direction holds one kind only.
std::map<std::string, std::vector<Measurement>> by_direction(std::vector<Measurement> rows) {
  std::map<std::string, std::vector<Measurement>> groups;
  for (Measurement& row : rows) {
    groups[direction_of(row.kind)].push_back(std::move(row));
  }
  for (const auto& [direction, group] : groups) {
    for (const Measurement& row : group) {
      if (row.kind != group.front().kind) {
        throw InvalidInput(fmt::format("the rows mix {} and {}",
                                       exchange_kind_name(group.front().kind),
                                       exchange_kind_name(row.kind)),
                           row.where,
                           fmt::format("select one: --select op={}", row.operation));
      }
    }
  }
  return groups;
}

ModelConstants fixed_constants(const std::vector<std::string>& settings,
                               std::set<Constant>& given) {
  ModelConstants constants{};
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) {
      throw InvalidInput("\"" + setting + "\" fixes nothing",
                         {"--fix", ""},
                         "write name=value, such as launch=8us");
    }
    const ConstantInfo& info = constant_info(setting.substr(0, equals));
    constants[static_cast<std::size_t>(info.constant)] =
        parse_constant(info, setting.substr(equals + 1));
    given.insert(info.constant);
  }
  return constants;
}

FitOptions fit_options(const CalibrationRequest& request,
                       const std::string& family_name,
                       const std::vector<FitPoint>& points) {
  const ModelFamily& family = model_family(family_name);
  std::set<Constant> given;
  FitOptions options{.seed = request.seed};
  options.fixed = fixed_constants(request.fixed, given);
  if (family.overlap > 0 && !given.contains(Constant::Overlap)) {
    options.fixed[static_cast<std::size_t>(Constant::Overlap)] = family.overlap;
  }
  std::vector<Constant> wanted;
  std::ranges::copy_if(family.fitted, std::back_inserter(wanted), [&](Constant constant) {
    return !given.contains(constant);
  });
  options.free = determinable(wanted, points);
  return options;
}

double common_sms(const std::vector<FitPoint>& points) {
  const double first = points.front().features.sms;
  const bool all_agree = std::ranges::all_of(
      points, [&](const FitPoint& point) { return point.features.sms == first; });
  return all_agree ? first : 0;
}

std::string row_name(const Measurement& row) {
  return row.where.place.empty() ? row.where.text() : row.where.place;
}

CalibratedRows calibrate_direction(const CalibrationRequest& request,
                                   const std::string& direction,
                                   std::vector<Measurement> rows) {
  CalibratedRows result{.rows = std::move(rows)};
  const std::vector<bool> held = request.hold_out.empty()
                                     ? std::vector<bool>(result.rows.size(), false)
                                     : held_out_rows(result.rows, request.hold_out, request.seed);
  BenchmarkBuilder builder(request.fabric, request.seed);
  std::vector<FitPoint> points;
  CalibrationEntry& entry = result.entry;
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    result.features.push_back(builder.build(result.rows[i]).features);
    if (!held[i]) {
      points.push_back({.features = result.features.back(), .seconds = result.rows[i].seconds});
      entry.fitted_rows.push_back(row_name(result.rows[i]));
    }
  }
  const Measurement& first = result.rows.front();
  entry.direction = direction;
  entry.model = request.model.empty() ? family_of(first.kind) : request.model;
  entry.dataset = request.files.front().filename().string();
  entry.hardware = first.hardware;
  entry.machine = request.fabric->name();
  entry.algorithm = benchmark_algorithm(first.kind);
  entry.source = first.source;
  entry.selection = request.selection;
  entry.hold_out = request.hold_out;
  entry.seed = request.seed;
  entry.sms = common_sms(points);
  entry.range = fitted_range(points);
  const FitResult fit = fit_constants(points, fit_options(request, entry.model, points));
  entry.constants = fit.constants;
  entry.fitted = fit.fitted;
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    result.predictions.push_back(
        {.predicted_s =
             builder.simulate(builder.build(result.rows[i]), fit.constants, *request.network),
         .measured_s = result.rows[i].seconds,
         .regime = exchange_regime(fit.constants, result.features[i]),
         .is_held_out = held[i]});
  }
  entry.accuracy = accuracy_of(result.predictions);
  return result;
}

std::string summary_line(const std::string& name, const ErrorSummary& summary) {
  return fmt::format(
      "  {:<20}{:>6} rows   median {:>5.1f} %   95 % within {:>6.1f} %   bias {:>+6.1f} %\n",
      name,
      summary.rows,
      100 * summary.median,
      100 * summary.p95,
      100 * summary.bias);
}

}  // namespace

std::vector<CalibratedRows> calibrate(const CalibrationRequest& request) {
  std::vector<CalibratedRows> results;
  for (auto& [direction, rows] : by_direction(selected_rows(request))) {
    results.push_back(calibrate_direction(request, direction, std::move(rows)));
  }
  return results;
}

std::string calibration_summary(const CalibratedRows& calibrated) {
  const CalibrationEntry& entry = calibrated.entry;
  std::string text = fmt::format("{}: {} on {}\n\n",
                                 entry.direction == "any" ? "all-to-all" : entry.direction,
                                 entry.model,
                                 entry.hardware);
  for (const FittedConstant& fitted : entry.fitted) {
    const ConstantInfo& info = constant_info(fitted.constant);
    text += fitted.is_determined ? fmt::format("  {:<16}{:>14}   {} to {}\n",
                                               info.name,
                                               constant_text(info, fitted.value),
                                               constant_text(info, fitted.low),
                                               constant_text(info, fitted.high))
                                 : fmt::format("  {:<16}{:>14}   not determined by these rows\n",
                                               info.name,
                                               constant_text(info, fitted.value));
  }
  text += "\n" + summary_line("fitted", entry.accuracy.fitted);
  if (entry.accuracy.held_out.rows > 0) {
    text += summary_line("held out", entry.accuracy.held_out);
  }
  for (const auto& [regime, summary] : entry.accuracy.by_regime) {
    text += summary_line("  " + std::string(regime_name(regime)), summary);
  }
  std::vector<std::size_t> order(calibrated.rows.size());
  std::ranges::generate(order, [next = std::size_t{0}]() mutable { return next++; });
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) {
    return std::abs(calibrated.predictions[i].error());
  });
  text += "\n  furthest off\n";
  for (std::size_t i = 0; i < std::min(kWorstRows, order.size()); ++i) {
    const Prediction& prediction = calibrated.predictions[order[i]];
    text += fmt::format("  {:<20}measured {:>10}   predicted {:>10}   {:>+6.1f} %\n",
                        row_name(calibrated.rows[order[i]]),
                        format_quantity(Seconds{prediction.measured_s}),
                        format_quantity(Seconds{prediction.predicted_s}),
                        100 * prediction.error());
  }
  return text;
}

}  // namespace switchyard
