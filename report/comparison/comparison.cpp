#include "report/comparison/comparison.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace switchyard {
namespace {

double per_call(const PhaseCell& cell) {
  return cell.count > 0 ? cell.time_s / static_cast<double>(cell.count) : 0;
}

// Of an exchange alone: what a calibration speaks of.
double moving_s(const PhaseCell& cell, bool without_waiting) {
  return per_call(cell) -
         (without_waiting && cell.count > 0 ? cell.wait_s / static_cast<double>(cell.count) : 0);
}

// A measured time that a calibrated simulation misses by more than its calibration lets expect.
std::string beyond_expectation(const ComparedRun& simulated,
                               const PhaseCell& simulated_cell,
                               const PhaseCell& measured_cell,
                               MoePhase phase) {
  const ExpectedError* expected = simulated.expected_error(phase);
  const bool without_waiting = simulated_cell.wait_s >= 0 && measured_cell.wait_s >= 0;
  const double measured_s = moving_s(measured_cell, without_waiting);
  if (expected == nullptr || simulated_cell.count == 0 || measured_s <= 0) {
    return "";
  }
  const double error = moving_s(simulated_cell, without_waiting) / measured_s - 1;
  if (std::abs(error) <= expected->p95) {
    return "";
  }
  return fmt::format(
      "{}: the simulated time of a call{} is {:+.1f} % off the measured one, where 95 % "
      "of the calibration's rows are within {:.1f} %",
      moe_phase_name(phase),
      without_waiting ? ", without waiting," : "",
      100 * error,
      100 * expected->p95);
}

}  // namespace

std::optional<double> ratio_of(double b, double a) {
  return a > 0 && b > 0 ? std::optional(b / a) : std::nullopt;
}

std::vector<PhaseRatio> compare_phases(const ComparedRun& a, const ComparedRun& b) {
  std::vector<PhaseRatio> ratios;
  for (std::size_t i = 0; i < kMoePhases; ++i) {
    PhaseRatio ratio;
    ratio.phase = static_cast<MoePhase>(i);
    ratio.a = a.mean(ratio.phase);
    ratio.b = b.mean(ratio.phase);
    if (ratio.a.time_s > 0 || ratio.b.time_s > 0) {
      ratio.time = ratio_of(ratio.b.time_s, ratio.a.time_s);
      ratio.time_per_call = ratio_of(per_call(ratio.b), per_call(ratio.a));
      ratios.push_back(ratio);
    }
  }
  return ratios;
}

std::vector<std::string> comparison_warnings(const ComparedRun& a, const ComparedRun& b) {
  std::vector<std::string> found;
  bool has_both_bytes = false;
  for (const PhaseRatio& ratio : compare_phases(a, b)) {
    const bool is_layer_phase =
        std::find(kLayerPhases.begin(), kLayerPhases.end(), ratio.phase) != kLayerPhases.end();
    if (is_layer_phase && ratio.time && ratio.a.count != ratio.b.count) {
      found.push_back(
          fmt::format("{} ran {} times a rank in A and {} in B: look at the ratio per call, or "
                      "compare as many layers and steps",
                      moe_phase_name(ratio.phase),
                      ratio.a.count,
                      ratio.b.count));
    }
    if (a.is_simulated != b.is_simulated) {
      const std::string text = a.is_simulated
                                   ? beyond_expectation(a, ratio.a, ratio.b, ratio.phase)
                                   : beyond_expectation(b, ratio.b, ratio.a, ratio.phase);
      if (!text.empty()) {
        found.push_back(text);
      }
    }
    has_both_bytes = has_both_bytes || (ratio.a.bytes > 0 && ratio.b.bytes > 0);
  }
  if (has_both_bytes && a.is_simulated != b.is_simulated) {
    found.emplace_back(
        "simulated bytes are those sent between ranks, once a hop; measured ones are what the "
        "profiler recorded, a rank's own part included");
  }
  return found;
}

std::vector<std::string> comparison_keys() {
  std::vector<std::string> keys;
  for (const std::string_view phase : kMoePhaseNames) {
    for (const char* value : {"ratio", "ratio_per_call", "a_s", "b_s"}) {
      keys.push_back(fmt::format("{}.{}", phase, value));
    }
  }
  return keys;
}

std::string broken_limit(const Limit& limit, const ComparedRun& a, const ComparedRun& b) {
  for (const PhaseRatio& ratio : compare_phases(a, b)) {
    const std::string prefix = std::string(moe_phase_name(ratio.phase)) + ".";
    const auto seconds = [](const PhaseCell& cell) {
      return cell.count > 0 ? std::optional(cell.time_s) : std::nullopt;
    };
    std::optional<double> value;
    if (limit.metric == prefix + "ratio") {
      value = ratio.time;
    } else if (limit.metric == prefix + "ratio_per_call") {
      value = ratio.time_per_call;
    } else if (limit.metric == prefix + "a_s") {
      value = seconds(ratio.a);
    } else if (limit.metric == prefix + "b_s") {
      value = seconds(ratio.b);
    }
    if (value) {
      return limit.is_broken_by(*value)
                 ? fmt::format("limit broken: {} ({} is {:.4g})", limit.text, limit.metric, *value)
                 : "";
    }
  }
  throw MissingCapability(
      fmt::format("{} cannot be computed: a run has no such phase", limit.metric),
      {"--fail-if", ""},
      "see the table without --fail-if");
}

}  // namespace switchyard
