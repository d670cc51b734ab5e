// Two runs side by side: per phase and per rank, time, bytes, rate and waiting, and B over A.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "report/comparison/compared_run.hpp"
#include "report/limit.hpp"

namespace switchyard {

/// B over A; nothing where A or B has no time in the phase.
struct PhaseRatio {
  MoePhase phase = MoePhase::Other;
  PhaseCell a;  // mean over ranks
  PhaseCell b;
  std::optional<double> time;           // of the totals
  std::optional<double> time_per_call;  // of the means per event
};

/// Phases that either run has, in the order of a layer.
std::vector<PhaseRatio> compare_phases(const ComparedRun& a, const ComparedRun& b);

/// Tables for a terminal. `all_ranks` also shows more than eight ranks.
std::string comparison_text(const ComparedRun& a, const ComparedRun& b, bool all_ranks);
nlohmann::ordered_json comparison_to_json(const ComparedRun& a, const ComparedRun& b);

/// Keys for --fail-if: "dispatch.ratio", "dispatch.ratio_per_call", "dispatch.a_s",
/// "dispatch.b_s", of every phase.
std::vector<std::string> comparison_keys();
/// The sentence to print when the comparison breaks the limit, or an empty text. Throws
/// MissingCapability when a run has no such phase.
std::string broken_limit(const Limit& limit, const ComparedRun& a, const ComparedRun& b);

/// Both runs in one Chrome trace for ui.perfetto.dev, each a process group with a track per rank
/// and phase, both starting at zero. Throws InvalidInput if neither has events.
void write_overlay(const ComparedRun& a,
                   const ComparedRun& b,
                   const std::filesystem::path& path,
                   bool overwrite);

}  // namespace switchyard
