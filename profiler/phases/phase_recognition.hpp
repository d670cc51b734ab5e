// Which phase of an MoE layer each piece of device work belongs to.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "profiler/event_timeline.hpp"
#include "profiler/phases/phase_rules.hpp"

namespace switchyard {

/// Phases of all events of a timeline; Unclassified for those that are no device work.
struct PhaseAssignment {
  std::vector<MoePhase> phases;      // [events]
  std::int64_t by_position = 0;      // exchanges told apart by the expert GEMMs around them
  std::int64_t overlapping = 0;      // device events that begin before their stream's last ended
  std::int64_t unnested_ranges = 0;  // ranges of a thread that cross instead of nesting
};

/// A name that says the phase beats the range around the launch, which beats a name that is known
/// to be something else (rule "other"). Ranges reach kernels through the launch call of the same
/// correlation, or as device ranges on the same stream; the innermost that matches counts.
/// Operations recorded without kernels (EventKind::Communication) are classified by their
/// operation.
PhaseAssignment recognise_phases(const EventTimeline& timeline, const PhaseRules& rules);

/// Totals of one phase on one process.
struct PhaseTotal {
  std::int64_t time_ns = 0;         // sum of durations
  std::int64_t count = 0;           // events
  std::int64_t bytes = 0;           // of the events that record them
  std::int64_t timed_bytes_ns = 0;  // time of those events, for the rate

  bool operator==(const PhaseTotal&) const = default;
};

using PhaseTotals = std::array<PhaseTotal, kMoePhases>;

/// [processes]. Totals of kernels (tables.summaries) are classified by name and added.
std::vector<PhaseTotals> phase_totals(const EventTimeline& timeline,
                                      const PhaseAssignment& assignment,
                                      const PhaseRules& rules);

}  // namespace switchyard
