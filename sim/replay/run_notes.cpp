// What was simulated, what was assumed, and how far the times may be off.
#include <set>

#include <fmt/format.h>

#include "sim/replay/calibrated_exchange.hpp"
#include "sim/replay/run_summary.hpp"
#include "sim/replay/step_exchanges.hpp"

namespace switchyard {
namespace {

std::string expected_error_note(const ExpectedError& expected) {
  return fmt::format(
      "{} calibrated by {} ({} on {}): expected error median {:.1f} %, 95 % of rows within "
      "{:.1f} % ({} {} rows)",
      expected.phase == "any" ? "exchanges" : expected.phase,
      expected.calibration,
      expected.model,
      expected.hardware,
      100 * expected.median,
      100 * expected.p95,
      expected.rows,
      expected.is_held_out ? "held-out" : "fitted");
}

void add_expected_errors(const Scenario& scenario,
                         const std::map<std::string, std::string>& outside,
                         SimulationResult& result) {
  const CalibrationEntry* last = nullptr;
  for (const bool combine : {false, true}) {
    const CalibrationEntry* entry = scenario.calibration->entry_for(combine);
    if (entry == nullptr) {
      result.notes.push_back(fmt::format("{} is uncalibrated: {} has no constants for it",
                                         combine ? "combine" : "dispatch",
                                         scenario.calibration_path));
    } else if (entry != last) {
      const ErrorSummary& expected = entry->accuracy.expected();
      result.expected_errors.push_back({.phase = entry->direction,
                                        .calibration = scenario.calibration_path,
                                        .model = entry->model,
                                        .hardware = entry->hardware,
                                        .median = expected.median,
                                        .p95 = expected.p95,
                                        .rows = expected.rows,
                                        .is_held_out = entry->accuracy.held_out.rows > 0});
      result.notes.push_back(expected_error_note(result.expected_errors.back()));
    }
    last = entry;
    const std::string other =
        entry == nullptr ? ""
                         : other_algorithm(*entry,
                                           scenario.resolved_json,
                                           combine ? Direction::Combine : Direction::Dispatch);
    if (!other.empty()) {
      result.outside_calibration.push_back(other);
    }
  }
  for (const auto& [feature, text] : outside) {
    result.outside_calibration.push_back(text);
  }
  for (const std::string& text : result.outside_calibration) {
    result.notes.push_back("outside the calibration's range, the expected error does not hold: " +
                           text);
  }
}

/// What the experts' times are made of.
std::string compute_note(const ComputeDevice& device) {
  const bool is_peak =
      device.routed.compute_efficiency == 1 && device.routed.memory_efficiency == 1;
  return is_peak ? fmt::format("expert GEMMs run at the peak rates of {}", device.name)
                 : fmt::format(
                       "expert GEMMs reach {:.0f} % of the peak of {} and {:.0f} % of its "
                       "memory rate",
                       100 * device.routed.compute_efficiency,
                       device.name,
                       100 * device.routed.memory_efficiency);
}

}  // namespace

void describe_run(const Scenario& scenario,
                  const std::map<std::string, std::string>& outside,
                  SimulationResult& result) {
  result.scenario_json = scenario.resolved_json;
  result.scenario_hash = scenario.hash;
  result.seed = scenario.seed;
  result.fidelity = fidelity_of(*scenario.routing);
  result.network = scenario.network_name;
  result.topology = scenario.fabric->name();
  result.is_calibrated = scenario.fabric->is_calibrated() || scenario.calibration != nullptr;
  result.ranks = scenario.ranks;
  std::set<NodeId> nodes;
  for (std::size_t rank = 0; rank < scenario.ranks; ++rank) {
    nodes.insert(scenario.fabric->node_of(RankId{rank}));
  }
  result.nodes = nodes.size();
  result.experts = static_cast<std::size_t>(scenario.model.experts);
  result.top_k = static_cast<std::size_t>(scenario.model.top_k);
  if (!result.is_calibrated) {
    result.notes.emplace_back("topology is uncalibrated: data-sheet rates");
  }
  if (scenario.calibration) {
    add_expected_errors(scenario, outside, result);
  }
  result.notes.push_back(compute_note(scenario.device));
  if (scenario.rank_rule != RankRule::Recorded) {
    result.notes.push_back(
        fmt::format("tokens assigned to ranks by rule: {}", rank_rule_name(scenario.rank_rule)));
  }
  add_schedule_notes(scenario, result.fidelity, result.notes);
  if (result.fidelity == Fidelity::Counts) {
    result.notes.emplace_back(
        "the file holds counts without source ranks (L0): load and compute only; communication "
        "times need counts per source rank (L1) or token ids (L2)");
  }
}

}  // namespace switchyard
