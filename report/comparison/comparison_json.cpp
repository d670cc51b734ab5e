#include <nlohmann/json.hpp>

#include "report/comparison/comparison.hpp"

namespace switchyard {
namespace {

using nlohmann::ordered_json;

ordered_json known(double value) {
  return value < 0 ? ordered_json(nullptr) : ordered_json(value);
}

ordered_json optional(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json cell_json(const PhaseCell& cell) {
  const bool has_rate = cell.bytes > 0 && cell.bytes_time_s > 0;
  return {{"time_s", cell.time_s},
          {"count", cell.count},
          {"bytes", known(cell.bytes)},
          {"rate", has_rate ? ordered_json(cell.bytes / cell.bytes_time_s) : ordered_json(nullptr)},
          {"wait_s", known(cell.wait_s)}};
}

ordered_json expected_error_json(const ComparedRun& run) {
  ordered_json object = ordered_json::object();
  for (const MoePhase phase : {MoePhase::Dispatch, MoePhase::Combine}) {
    if (const ExpectedError* expected = run.expected_error(phase)) {
      object[std::string(moe_phase_name(phase))] = {{"median", expected->median},
                                                    {"p95", expected->p95},
                                                    {"rows", expected->rows},
                                                    {"is_held_out", expected->is_held_out},
                                                    {"calibration", expected->calibration},
                                                    {"model", expected->model},
                                                    {"hardware", expected->hardware}};
    }
  }
  return object.empty() ? ordered_json(nullptr) : object;
}

ordered_json run_json(const ComparedRun& run) {
  ordered_json ranks = ordered_json::array();
  for (std::size_t i = 0; i < run.ranks.size(); ++i) {
    ordered_json phases = ordered_json::object();
    for (std::size_t phase = 0; phase < kMoePhases; ++phase) {
      if (run.phases[i][phase].count > 0) {
        phases[std::string(kMoePhaseNames[phase])] = cell_json(run.phases[i][phase]);
      }
    }
    const ordered_json rank = run.ranks[i] < 0 ? ordered_json(nullptr) : ordered_json(run.ranks[i]);
    ranks.push_back({{"rank", rank}, {"phases", std::move(phases)}});
  }
  return {{"file", run.label},
          {"is_simulated", run.is_simulated},
          {"ranks", std::move(ranks)},
          {"expected_error", expected_error_json(run)},
          {"notes", run.notes}};
}

}  // namespace

ordered_json comparison_to_json(const ComparedRun& a, const ComparedRun& b) {
  const auto ratios = compare_phases(a, b);
  ordered_json phases = ordered_json::object();
  for (const PhaseRatio& ratio : ratios) {
    phases[std::string(moe_phase_name(ratio.phase))] = {
        {"a", cell_json(ratio.a)},
        {"b", cell_json(ratio.b)},
        {"ratio", optional(ratio.time)},
        {"ratio_per_call", optional(ratio.time_per_call)}};
  }
  return {{"phases", std::move(phases)},
          {"a", run_json(a)},
          {"b", run_json(b)},
          {"warnings", comparison_warnings(a, b)}};
}

}  // namespace switchyard
