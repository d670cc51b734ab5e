// Two runs side by side: per phase and per rank, time, bytes, rate and waiting, and B over A.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "report/comparison/compared_run.hpp"
#include "report/limit.hpp"

namespace switchyard {

/// Phases whose names say what an MoE layer does; the rest is context.
inline constexpr std::array<MoePhase, 8> kLayerPhases{MoePhase::Gate,
                                                      MoePhase::Permute,
                                                      MoePhase::Dispatch,
                                                      MoePhase::Wait,
                                                      MoePhase::ExpertGemm,
                                                      MoePhase::Combine,
                                                      MoePhase::Unpermute,
                                                      MoePhase::Exchange};

/// B over A; nothing where A or B has no time in the phase.
struct PhaseRatio {
  MoePhase phase = MoePhase::Other;
  PhaseCell a;  // mean over ranks
  PhaseCell b;
  std::optional<double> time;           // of the totals
  std::optional<double> time_per_call;  // of the means per event
};

/// Nothing unless both are above 0.
std::optional<double> ratio_of(double b, double a);
/// Phases that either run has, in the order of a layer.
std::vector<PhaseRatio> compare_phases(const ComparedRun& a, const ComparedRun& b);

/// What makes the numbers incomparable, and measured times that a calibrated simulation misses by
/// more than its calibration lets expect.
std::vector<std::string> comparison_warnings(const ComparedRun& a, const ComparedRun& b);

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
/// Answers the events that were left out, since more than sixteen of their phase and rank overlap.
std::int64_t write_overlay(const ComparedRun& a,
                           const ComparedRun& b,
                           const std::filesystem::path& path,
                           bool overwrite);

}  // namespace switchyard
