// One side of a comparison: times per phase and rank, whether simulated or measured.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "profiler/event_timeline.hpp"
#include "profiler/phases/phase_rules.hpp"
#include "sim/replay/result.hpp"

namespace switchyard {

/// -1 = not known.
struct PhaseCell {
  double time_s = 0;  // including `wait_s`: a collective's kernel waits for the slowest rank, too
  std::int64_t count = 0;
  double bytes = -1;
  double bytes_time_s = 0;  // time of the events whose bytes are known
  double wait_s = -1;
};

/// Index into the phases of a rank.
inline std::size_t phase_index(MoePhase phase) {
  return static_cast<std::size_t>(phase);
}

/// An interval for the overlaid timeline.
struct RunInterval {
  std::int32_t row = 0;  // index into ComparedRun::ranks
  MoePhase phase = MoePhase::Other;
  std::int64_t start_ns = 0;
  std::int64_t duration_ns = 0;
  std::string name;
};

struct ComparedRun {
  std::string label;  // file name
  bool is_simulated = false;
  std::vector<std::int32_t> ranks;                        // -1 = not known, or all ranks as one
  std::vector<std::array<PhaseCell, kMoePhases>> phases;  // [ranks]
  /// Bytes of a phase as a mean over ranks, where single ranks' are not known.
  std::array<std::optional<double>, kMoePhases> mean_bytes;
  std::vector<RunInterval> intervals;            // on one clock from 0; may be empty
  std::vector<ExpectedError> expected_errors;    // of a simulated run with a calibration
  std::vector<std::string> outside_calibration;  // what of it no row was fitted to
  std::vector<std::string> notes;

  /// Mean over ranks of the time in a phase, and what belongs to it.
  [[nodiscard]] PhaseCell mean(MoePhase phase) const;
  /// Nothing for a phase that is no exchange, and without calibration.
  [[nodiscard]] const ExpectedError* expected_error(MoePhase phase) const;
};

/// Adds to a sum that -1 marks as not known.
void add_known(double& sum, double value);

/// A measured timeline, its clocks aligned and its phases recognised.
ComparedRun measured_run(const EventTimeline& timeline,
                         const PhaseRules& rules,
                         const std::string& label);
/// A result file (SQLite) of `simulate --save`. Its waiting belongs to the exchange that it
/// precedes. Throws InvalidInput.
ComparedRun simulated_run(const std::filesystem::path& path);
/// A document of `simulate --json`: times of whole layers, no ranks. Throws InvalidInput.
ComparedRun simulated_run(const nlohmann::json& document, const std::string& label);

}  // namespace switchyard
