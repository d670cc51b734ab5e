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

ordered_json phases_of(const SimulationResult& result, const LayerResult& layer) {
  ordered_json phases = ordered_json::array();
  for (const PhaseResult& phase : layer.phases) {
    const std::string link = link_name(result, phase.bottleneck_link);
    phases.push_back({{"name", phase.name},
                      {"lane", lane_name(phase.lane)},
                      {"time_s", phase.time_s},
                      {"bytes", phase.bytes},
                      {"bound", bound_name(phase.bound)},
                      {"bottleneck_link", link.empty() ? ordered_json() : ordered_json(link)}});
  }
  return phases;
}

ordered_json phases_of(const SimulationResult& result) {
  ordered_json phases = ordered_json::array();
  for (const PhaseSum& phase : phase_sums(result)) {
    phases.push_back({{"name", phase.name},
                      {"lane", lane_name(phase.lane)},
                      {"time_s", phase.time_s},
                      {"bytes", phase.bytes},
                      {"bound", bound_name(phase.bound())}});
  }
  return phases;
}

ordered_json step_exchanges_of(const SimulationResult& result) {
  ordered_json exchanges = ordered_json::array();
  for (const StepExchange& exchange : result.total.step_exchanges) {
    const std::string link = link_name(result, exchange.bottleneck_link);
    exchanges.push_back({{"name", exchange.name},
                         {"time_s", exchange.time_s},
                         {"exposed_s", exchange.exposed_s},
                         {"bytes", exchange.bytes},
                         {"bound", bound_name(exchange.bound)},
                         {"bottleneck_link", link.empty() ? ordered_json() : ordered_json(link)}});
  }
  return exchanges;
}

ordered_json expected_error_json(const SimulationResult& result) {
  ordered_json object{{"phases", ordered_json::array()},
                      {"outside_range", result.outside_calibration}};
  for (const ExpectedError& expected : result.expected_errors) {
    object["phases"].push_back({{"phase", expected.phase},
                                {"median", expected.median},
                                {"p95", expected.p95},
                                {"rows", expected.rows},
                                {"is_held_out", expected.is_held_out},
                                {"calibration", expected.calibration},
                                {"model", expected.model},
                                {"hardware", expected.hardware}});
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
    row["phases"] = phases_of(result, layer);
    document["layers"].push_back(std::move(row));
  }
  document["total"] = ordered_json::object();
  append(document["total"], total_metrics(result));
  document["total"]["phases"] = phases_of(result);
  document["total"]["step_exchanges"] = step_exchanges_of(result);
  document["total"]["pipeline_bubble"] = result.total.pipeline_bubble;
  if (result.replacement) {
    document["replacement"] = replacement_json(*result.replacement);
  }
  if (!result.expected_errors.empty()) {
    document["expected_error"] = expected_error_json(result);
  }
  document["is_partial"] = result.is_partial;
  document["notes"] = result.notes;
  return document;
}

}  // namespace switchyard
