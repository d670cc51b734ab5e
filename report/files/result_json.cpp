#include "report/files/result_json.hpp"

#include <nlohmann/json.hpp>

#include "core/version.hpp"

namespace switchyard {

using nlohmann::ordered_json;

namespace {

void append(ordered_json& object, const std::vector<Metric>& metrics) {
  for (const Metric& metric : metrics) {
    object[metric.name] = json_value(metric.value);
  }
}

ordered_json replacement_json(const ReplacementResult& study) {
  const auto number = [](const std::optional<double>& value) {
    return value ? ordered_json(*value) : ordered_json();
  };
  ordered_json object{{"migration_s", study.migration_s},
                      {"migration_bytes", study.migration_bytes},
                      {"step_s", number(study.step_s)},
                      {"initial_step_s", number(study.initial_step_s)},
                      {"break_even_steps", number(study.break_even_steps)},
                      {"migrations", ordered_json::array()}};
  for (const MigrationResult& migration : study.migrations) {
    object["migrations"].push_back({{"step", migration.step},
                                    {"copies", migration.copies},
                                    {"bytes", migration.bytes},
                                    {"time_s", migration.time_s},
                                    {"lower_bound_s", migration.lower_bound_s}});
  }
  return object;
}

}  // namespace

ordered_json json_value(const MetricValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return *text;
  }
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    return *whole;
  }
  if (const auto* number = std::get_if<double>(&value)) {
    return *number;
  }
  return nullptr;
}

ordered_json result_to_json(const SimulationResult& result) {
  ordered_json document;
  document["format_version"] = kResultFormatVersion;
  document["program_version"] = kProgramVersion;
  document["scenario_hash"] = result.scenario_hash;
  document["seed"] = result.seed;
  document["fidelity"] = fidelity_name(result.fidelity);
  document["network"] = {
      {"name", result.network}, {"mode", result.network_mode}, {"window", result.window_epsilon}};
  document["layers"] = ordered_json::array();
  for (const LayerResult& layer : result.layers) {
    ordered_json row{{"step", layer.step}, {"layer", layer.layer}};
    append(row, layer_metrics(result, layer));
    document["layers"].push_back(std::move(row));
  }
  document["total"] = ordered_json::object();
  append(document["total"], total_metrics(result));
  if (result.replacement) {
    document["replacement"] = replacement_json(*result.replacement);
  }
  document["is_partial"] = result.is_partial;
  document["notes"] = result.notes;
  return document;
}

}  // namespace switchyard
