#include "profiler/calibration/calibration_file.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/components/embedded.hpp"
#include "core/components/schema.hpp"
#include "core/files/json_file.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kSchemaPath = "profiler/schema/calibration.schema.json";
constexpr std::string_view kPresetFolder = "profiler/calibration/presets/";
constexpr double kSlack = 0.1;  // of a range: this little beyond it is not worth a warning
constexpr double kShareDigits = 1e6;

struct RangedFeature {
  const char* name;
  const char* unit;
  double ExchangeFeatures::*value;
};

constexpr std::array<RangedFeature, 7> kRanged{{
    {"ranks", "", &ExchangeFeatures::ranks},
    {"nodes", "", &ExchangeFeatures::nodes},
    {"experts", "", &ExchangeFeatures::experts},
    {"sms", "", &ExchangeFeatures::sms},
    {"scale_up_bytes", " B", &ExchangeFeatures::scale_up_bytes},
    {"scale_out_bytes", " B", &ExchangeFeatures::scale_out_bytes},
    {"peer_bytes", " B", &ExchangeFeatures::peer_bytes},
}};

double rounded(double share) {
  return std::round(share * kShareDigits) / kShareDigits;
}

ordered_json summary_json(const ErrorSummary& summary) {
  return {{"rows", summary.rows},
          {"median", rounded(summary.median)},
          {"p95", rounded(summary.p95)},
          {"largest", rounded(summary.largest)},
          {"bias", rounded(summary.bias)}};
}

ErrorSummary summary_of(const json& document) {
  return {.rows = document.value("rows", std::int64_t{0}),
          .median = document.value("median", 0.0),
          .p95 = document.value("p95", 0.0),
          .largest = document.value("largest", 0.0),
          .bias = document.value("bias", 0.0)};
}

ordered_json constants_json(const CalibrationEntry& entry) {
  ordered_json list = ordered_json::array();
  for (const ConstantInfo& info : constant_infos()) {
    const double value = entry.constants[static_cast<std::size_t>(info.constant)];
    if (value == 0) {
      continue;
    }
    ordered_json constant{{"name", info.name}, {"value", constant_text(info, value)}};
    const auto found = std::ranges::find(entry.fitted, info.constant, &FittedConstant::constant);
    if (found != entry.fitted.end()) {
      constant["low"] = constant_text(info, found->low);
      constant["high"] = constant_text(info, found->high);
      constant["determined"] = found->is_determined;
    }
    constant["fitted"] = found != entry.fitted.end();
    constant["meaning"] = info.meaning;
    list.push_back(std::move(constant));
  }
  return list;
}

ordered_json error_json(const Accuracy& accuracy) {
  ordered_json error{{"fitted", summary_json(accuracy.fitted)},
                     {"held_out", summary_json(accuracy.held_out)}};
  for (const auto& [regime, summary] : accuracy.by_regime) {
    error[std::string(regime_name(regime))] = summary_json(summary);
  }
  return error;
}

void read_constants(const json& list, const Location& where, CalibrationEntry& entry) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const json& constant = list[i];
    try {
      const ConstantInfo& info = constant_info(constant.at("name").get<std::string>());
      const double value = parse_constant(info, constant.at("value").get<std::string>());
      entry.constants[static_cast<std::size_t>(info.constant)] = value;
      if (constant.value("fitted", false)) {
        const auto bound = [&](const char* key) {
          return constant.contains(key) ? parse_constant(info, constant[key].get<std::string>())
                                        : value;
        };
        entry.fitted.push_back({.constant = info.constant,
                                .value = value,
                                .low = bound("low"),
                                .high = bound("high"),
                                .is_determined = constant.value("determined", true)});
      }
    } catch (const InvalidInput& error) {
      throw InvalidInput(error.what(), where.child(i), error.hint());
    }
  }
}

CalibrationEntry read_entry(const json& document, const Location& where) {
  CalibrationEntry entry{.direction = document.at("direction"),
                         .model = document.at("model"),
                         .dataset = document.value("dataset", ""),
                         .hardware = document.value("hardware", ""),
                         .machine = document.value("machine", ""),
                         .algorithm = document.value("algorithm", ""),
                         .source = document.value("source", ""),
                         .selection = document.value("selection", std::vector<std::string>{}),
                         .hold_out = document.value("hold_out", ""),
                         .seed = document.value("seed", std::uint64_t{0}),
                         .fitted_rows = document.value("fitted_rows", std::vector<std::string>{}),
                         .sms = document.value("sms", 0.0)};
  read_constants(document.at("constants"), where.child("constants"), entry);
  const json ranges = document.value("fitted_range", json::object());
  for (const auto& [name, bounds] : ranges.items()) {
    entry.range[name] = {.low = bounds[0].get<double>(), .high = bounds[1].get<double>()};
  }
  const json error = document.value("error", json::object());
  entry.accuracy.fitted = summary_of(error.value("fitted", json::object()));
  entry.accuracy.held_out = summary_of(error.value("held_out", json::object()));
  for (const Regime regime : {Regime::Latency, Regime::Knee, Regime::Bandwidth}) {
    const auto found = error.find(std::string(regime_name(regime)));
    if (found != error.end()) {
      entry.accuracy.by_regime[regime] = summary_of(*found);
    }
  }
  return entry;
}

}  // namespace

const CalibrationEntry* Calibration::entry_for(bool combine) const {
  for (const std::string& direction :
       {std::string(combine ? "combine" : "dispatch"), std::string("any")}) {
    const auto found = std::ranges::find(entries, direction, &CalibrationEntry::direction);
    if (found != entries.end()) {
      return &*found;
    }
  }
  return nullptr;
}

double low_latency_sms(double experts) {
  constexpr double kDeviceSms = 132;
  return experts > 0 ? std::floor(experts / std::ceil(experts / kDeviceSms)) : 0;
}

double assumed_sms(const CalibrationEntry& entry, double experts) {
  if (entry.sms > 0) {
    return entry.sms;
  }
  if (entry.model == "low_latency") {
    return low_latency_sms(experts);
  }
  const auto found = entry.range.find("sms");
  return found == entry.range.end() ? 0 : found->second.high;
}

std::map<std::string, FittedRange> fitted_range(const std::vector<FitPoint>& points) {
  std::map<std::string, FittedRange> range;
  for (const RangedFeature& feature : kRanged) {
    FittedRange bounds{.low = points.front().features.*feature.value,
                       .high = points.front().features.*feature.value};
    for (const FitPoint& point : points) {
      bounds.low = std::min(bounds.low, point.features.*feature.value);
      bounds.high = std::max(bounds.high, point.features.*feature.value);
    }
    range[feature.name] = bounds;
  }
  return range;
}

std::vector<std::string> outside_range(const CalibrationEntry& entry,
                                       const ExchangeFeatures& features) {
  std::vector<std::string> outside;
  for (const RangedFeature& feature : kRanged) {
    const auto found = entry.range.find(feature.name);
    const double value = features.*feature.value;
    // All 0: the rows did not say, or had none of it; `nodes` tells of bytes that leave a node.
    if (found == entry.range.end() || found->second.high == 0 ||
        (value >= found->second.low * (1 - kSlack) && value <= found->second.high * (1 + kSlack))) {
      continue;
    }
    outside.push_back(fmt::format("{} {:.4g}{} (fitted {:.4g} to {:.4g}{})",
                                  feature.name,
                                  value,
                                  feature.unit,
                                  found->second.low,
                                  found->second.high,
                                  feature.unit));
  }
  return outside;
}

std::string calibration_text(const Calibration& calibration) {
  ordered_json document{{"format_version", 1},
                        {"kind", "switchyard_calibration"},
                        {"program_version", calibration.program_version},
                        {"entries", ordered_json::array()}};
  for (const CalibrationEntry& entry : calibration.entries) {
    ordered_json range = ordered_json::object();
    for (const auto& [name, bounds] : entry.range) {
      range[name] = {bounds.low, bounds.high};
    }
    document["entries"].push_back({{"direction", entry.direction},
                                   {"model", entry.model},
                                   {"dataset", entry.dataset},
                                   {"hardware", entry.hardware},
                                   {"machine", entry.machine},
                                   {"algorithm", entry.algorithm},
                                   {"source", entry.source},
                                   {"selection", entry.selection},
                                   {"hold_out", entry.hold_out},
                                   {"seed", entry.seed},
                                   {"sms", entry.sms},
                                   {"constants", constants_json(entry)},
                                   {"fitted_range", range},
                                   {"error", error_json(entry.accuracy)},
                                   {"fitted_rows", entry.fitted_rows}});
  }
  return document.dump(2) + "\n";
}

namespace {

Calibration calibration_of(const json& document, const Location& where) {
  check_schema(document, parse_json(embedded_file(kSchemaPath), {kSchemaPath, ""}), where);
  Calibration calibration{.program_version = document.value("program_version", ""), .entries = {}};
  const json& entries = document.at("entries");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    calibration.entries.push_back(read_entry(entries[i], where.child("entries").child(i)));
  }
  return calibration;
}

}  // namespace

Calibration read_calibration(const std::filesystem::path& path) {
  return calibration_of(read_json_file(path), {path.string(), ""});
}

std::vector<std::string> calibration_presets() {
  return embedded_names(kPresetFolder);
}

Calibration load_calibration(const std::string& name_or_path) {
  std::error_code ignored;
  if (std::filesystem::exists(name_or_path, ignored)) {
    return read_calibration(name_or_path);
  }
  const EmbeddedFile file = embedded_preset(kPresetFolder, "calibration or file", name_or_path, {});
  const Location where{std::string(file.path), ""};
  return calibration_of(parse_json(file.content, where), where);
}

}  // namespace switchyard
