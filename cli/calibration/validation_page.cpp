#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/calibration/validation.hpp"
#include "core/version.hpp"
#include "profiler/calibration/ordering.hpp"
#include "report/svg_plot.hpp"

namespace switchyard {
namespace {

constexpr double kTargetMedian = 0.05;
constexpr double kTargetP95 = 0.15;
constexpr std::size_t kWorstRowsOfPage = 4;

struct Outcome {
  const ValidationDataset* dataset = nullptr;
  std::vector<CalibratedRows> directions;
};

std::string percent(double share) {
  return fmt::format("{:.1f} %", 100 * share);
}

std::string direction_name(const CalibrationEntry& entry) {
  return entry.direction == "any" ? "all-to-all" : entry.direction;
}

std::string met(const ErrorSummary& summary) {
  const bool median = summary.median <= kTargetMedian;
  const bool tail = summary.p95 <= kTargetP95;
  return median && tail ? "yes" : median ? "median only" : tail ? "95 % only" : "no";
}

std::string overview(const std::vector<Outcome>& outcomes) {
  std::string text =
      "| data set | direction | rows fitted | rows predicted | median error | 95 % within | "
      "target met |\n|---|---|---:|---:|---:|---:|---|\n";
  for (const Outcome& outcome : outcomes) {
    for (const CalibratedRows& rows : outcome.directions) {
      const Accuracy& accuracy = rows.entry.accuracy;
      text += fmt::format("| [{}](#{}) | {} | {} | {} | {} | {} | {} |\n",
                          outcome.dataset->title,
                          outcome.dataset->id,
                          direction_name(rows.entry),
                          accuracy.fitted.rows,
                          accuracy.held_out.rows,
                          percent(accuracy.held_out.median),
                          percent(accuracy.held_out.p95),
                          met(accuracy.held_out));
    }
  }
  return text;
}

std::string constants_table(const std::vector<CalibratedRows>& directions) {
  std::string text =
      "| direction | constant | value | 95 % interval | meaning |\n|---|---|---:|---|---|\n";
  for (const CalibratedRows& rows : directions) {
    for (const FittedConstant& fitted : rows.entry.fitted) {
      const ConstantInfo& info = constant_info(fitted.constant);
      const auto short_text = [&](double value) {
        // Three digits are more than the intervals warrant.
        const double digits = std::pow(10.0, 2 - std::floor(std::log10(std::max(value, 1e-30))));
        return constant_text(info, std::round(value * digits) / digits);
      };
      text +=
          fmt::format("| {} | `{}` | {} | {} | {} |\n",
                      direction_name(rows.entry),
                      info.name,
                      short_text(fitted.value),
                      fitted.is_determined
                          ? fmt::format("{} to {}", short_text(fitted.low), short_text(fitted.high))
                          : "not determined by these rows",
                      info.meaning);
    }
  }
  return text;
}

std::string regimes_table(const std::vector<CalibratedRows>& directions) {
  std::string text =
      "| direction | regime | rows predicted | median | 95 % within | bias |\n"
      "|---|---|---:|---:|---:|---:|\n";
  for (const CalibratedRows& rows : directions) {
    for (const auto& [regime, summary] : rows.entry.accuracy.by_regime) {
      text += fmt::format("| {} | {} | {} | {} | {} | {:+.1f} % |\n",
                          direction_name(rows.entry),
                          regime_name(regime),
                          summary.rows,
                          percent(summary.median),
                          percent(summary.p95),
                          100 * summary.bias);
    }
  }
  return text;
}

std::string row_text(const Measurement& row) {
  std::string text = fmt::format("{} ranks", row.ranks);
  text += row.nodes > 1 ? fmt::format(" on {} nodes", row.nodes) : "";
  if (row.message_bytes > 0) {
    return text + fmt::format(", {} B", row.message_bytes);
  }
  text +=
      fmt::format(", {} tokens x {}, top {} of {}", row.tokens, row.hidden, row.top_k, row.experts);
  return text + (row.sms > 0 ? fmt::format(", {} SMs", row.sms) : "");
}

std::string worst_rows(const CalibratedRows& rows) {
  std::vector<std::size_t> order(rows.rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) {
    return std::abs(rows.predictions[i].error());
  });
  std::string text;
  for (const std::size_t index : order) {
    const Prediction& prediction = rows.predictions[index];
    if (!prediction.is_held_out ||
        std::ranges::count(text, '\n') >= std::ptrdiff_t{kWorstRowsOfPage}) {
      continue;
    }
    text += fmt::format("| {} | {} | {:.1f} us | {:.1f} us | {:+.1f} % |\n",
                        direction_name(rows.entry),
                        row_text(rows.rows[index]),
                        prediction.measured_s * 1e6,
                        prediction.predicted_s * 1e6,
                        100 * prediction.error());
  }
  return text;
}

bool is_in_figure(const Measurement& row, const std::vector<std::string>& selection) {
  return std::ranges::all_of(selection, [&](const std::string& condition) {
    const std::size_t equals = condition.find('=');
    const auto found = row.columns.find(condition.substr(0, equals));
    return found != row.columns.end() && found->second == condition.substr(equals + 1);
  });
}

// Values of these columns of a row, or nothing if it lacks one.
std::optional<std::vector<std::string>> values_of(const Measurement& row,
                                                  const std::vector<std::string>& names) {
  std::vector<std::string> values;
  for (const std::string& name : names) {
    const auto found = row.columns.find(name);
    if (found == row.columns.end()) {
      return std::nullopt;
    }
    values.push_back(found->second);
  }
  return values;
}

Plot plot_of(const ValidationDataset& dataset, const CalibratedRows& rows) {
  Plot plot{.title = dataset.title + ", " + direction_name(rows.entry),
            .x_label = dataset.x,
            .y_label = "microseconds",
            .series = {}};
  // By the value of the first column, so that 8 comes before 16, then by the others.
  std::map<std::pair<double, std::vector<std::string>>, PlotSeries> series;
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    const Measurement& row = rows.rows[i];
    const auto x = row.columns.find(dataset.x);
    const auto values = values_of(row, dataset.series);
    if (x == row.columns.end() || !values || !is_in_figure(row, dataset.figure_selection)) {
      continue;
    }
    PlotSeries& line = series[{std::strtod(values->front().c_str(), nullptr), *values}];
    line.name = fmt::format("{} {}", dataset.series.front(), fmt::join(*values, ", "));
    line.points.push_back({.x = std::strtod(x->second.c_str(), nullptr),
                           .measured = rows.predictions[i].measured_s * 1e6,
                           .predicted = rows.predictions[i].predicted_s * 1e6,
                           .is_held_out = rows.predictions[i].is_held_out});
  }
  for (auto& [key, line] : series) {
    plot.series.push_back(std::move(line));
  }
  return plot;
}

std::string orderings_table(const std::map<std::string, OrderingCount>& counts) {
  std::string text =
      "| pairs that differ in | pairs | predicted in the measured order |\n"
      "|---|---:|---:|\n";
  for (const auto& [axis, count] : counts) {
    text += fmt::format("| {} | {} | {} |\n",
                        axis,
                        count.pairs,
                        percent(static_cast<double>(count.reproduced) /
                                static_cast<double>(std::max<std::int64_t>(1, count.pairs))));
  }
  return text;
}

std::map<std::string, OrderingCount> all_orderings(const std::vector<Outcome>& outcomes) {
  std::vector<Measurement> rows;
  std::vector<Prediction> predictions;
  std::vector<std::string> libraries;
  for (const Outcome& outcome : outcomes) {
    for (const CalibratedRows& direction : outcome.directions) {
      rows.insert(rows.end(), direction.rows.begin(), direction.rows.end());
      predictions.insert(
          predictions.end(), direction.predictions.begin(), direction.predictions.end());
      libraries.insert(libraries.end(), direction.rows.size(), outcome.dataset->id);
    }
  }
  return ordering_counts(rows, predictions, libraries);
}

std::string section(const Outcome& outcome,
                    const std::string& figure_folder,
                    std::map<std::string, std::string>& figures) {
  const ValidationDataset& dataset = *outcome.dataset;
  const CalibrationEntry& first = outcome.directions.front().entry;
  std::string text = fmt::format("\n<a id=\"{}\"></a>\n## {}\n\n", dataset.id, dataset.title);
  text += fmt::format("`{}`{}{}: {}. Model `{}`, held out: `{}`, machine `{}`.\n",
                      dataset.file,
                      first.selection.empty() ? "" : ", ",
                      fmt::join(first.selection, ", "),
                      first.hardware,
                      first.model,
                      first.hold_out,
                      dataset.request.fabric->name());
  if (!dataset.preset.empty()) {
    text += fmt::format("\nBuilt in: `simulate --calibration {}`.\n", dataset.preset);
  }
  for (const std::string& note : dataset.notes) {
    text += "\n" + note + "\n";
  }
  text += "\n" + constants_table(outcome.directions) + "\n" + regimes_table(outcome.directions);
  text +=
      "\nFurthest off among the predicted rows:\n\n"
      "| direction | row | measured | predicted | error |\n|---|---|---:|---:|---:|\n";
  std::string pictures;
  for (const CalibratedRows& rows : outcome.directions) {
    text += worst_rows(rows);
    const std::string name = fmt::format("validation_{}_{}.svg", dataset.id, rows.entry.direction);
    const Plot plot = plot_of(dataset, rows);
    if (!plot.series.empty()) {
      figures[name] = plot_svg(plot);
      pictures += fmt::format(
          "\n![{}: measured dots, predicted lines]({}/{})\n", plot.title, figure_folder, name);
    }
  }
  return text + pictures;
}

}  // namespace

ValidationPage validate(const ValidationRecipe& recipe,
                        const std::string& command,
                        const std::string& figure_folder) {
  std::vector<Outcome> outcomes;
  for (const ValidationDataset& dataset : recipe.datasets) {
    outcomes.push_back({.dataset = &dataset, .directions = calibrate(dataset.request)});
  }
  ValidationPage page;
  page.markdown = fmt::format(
      "# Validation\n\n"
      "How far simulated exchanges are from measured ones. Each data set below is fitted on few "
      "rows; the other rows are predicted by the simulator (`fluid` network, the benchmark's own "
      "routing, the library's own algorithm) and compared. The error is |predicted / measured - "
      "1|. Target: median at most 5 %, 95 % of rows within 15 %, at most six fitted constants for "
      "each kernel of a library on a machine.\n\n"
      "This page is written by one command and never by hand:\n\n"
      "```\n{}\n```\n\n"
      "`DATA` is a folder with the published tables that the sections name. In the figures, dots "
      "are measurements (filled: fitted, hollow: predicted) and lines are the simulator.\n\n{}"
      "\nRows derived from a published bandwidth are as coarse as that number was rounded. "
      "Regimes: *latency* = moving the bytes takes less than half of starting, *bandwidth* = more "
      "than twice, *knee* = between.\n\n"
      "## Orderings\n\n"
      "Of two measured rows that differ in one thing only and by more than 10 % in time, is the "
      "faster one predicted to be the faster one? (`library` compares data sets of this page.)\n\n",
      command,
      overview(outcomes));
  page.markdown += orderings_table(all_orderings(outcomes));
  if (!recipe.left_out.empty()) {
    page.markdown += "\n## Measurements that are not fitted\n\n";
    for (const std::string& reason : recipe.left_out) {
      page.markdown += "- " + reason + "\n";
    }
  }
  std::map<std::string, Calibration> presets;
  for (const Outcome& outcome : outcomes) {
    page.markdown += section(outcome, figure_folder, page.figures);
    for (const CalibratedRows& rows : outcome.directions) {
      if (!outcome.dataset->preset.empty()) {
        presets[outcome.dataset->preset].entries.push_back(rows.entry);
      }
    }
  }
  for (auto& [name, calibration] : presets) {
    calibration.program_version = kProgramVersion;
    page.calibrations[name + ".json"] = calibration_text(calibration);
  }
  return page;
}

}  // namespace switchyard
