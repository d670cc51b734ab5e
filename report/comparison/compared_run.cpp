#include "report/comparison/compared_run.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "profiler/clocks/clock_alignment.hpp"
#include "profiler/phases/phase_recognition.hpp"

namespace switchyard {
namespace {

constexpr double kNanosecond = 1e-9;

std::string rank_name(const TimelineProcess& process, std::size_t index) {
  return process.rank >= 0 ? fmt::format("rank {}", process.rank)
                           : fmt::format("process {}", index);
}

}  // namespace

void add_known(double& sum, double value) {
  sum = sum < 0 ? value : sum + value;
}

PhaseCell ComparedRun::mean(MoePhase phase) const {
  PhaseCell sum;
  for (const auto& rank : phases) {
    const PhaseCell& cell = rank[phase_index(phase)];
    sum.time_s += cell.time_s;
    sum.count += cell.count;
    sum.bytes_time_s += cell.bytes_time_s;
    if (cell.bytes >= 0) {
      add_known(sum.bytes, cell.bytes);
    }
    if (cell.wait_s >= 0) {
      add_known(sum.wait_s, cell.wait_s);
    }
  }
  const auto count = static_cast<double>(std::max<std::size_t>(phases.size(), 1));
  sum.time_s /= count;
  sum.bytes_time_s /= count;
  sum.bytes = sum.bytes < 0 ? -1 : sum.bytes / count;
  sum.wait_s = sum.wait_s < 0 ? -1 : sum.wait_s / count;
  if (mean_bytes[phase_index(phase)]) {
    sum.bytes = *mean_bytes[phase_index(phase)];
    sum.bytes_time_s = sum.time_s;
  }
  sum.count = std::llround(static_cast<double>(sum.count) / count);
  return sum;
}

const ExpectedError* ComparedRun::expected_error(MoePhase phase) const {
  if (phase != MoePhase::Dispatch && phase != MoePhase::Combine) {
    return nullptr;
  }
  const auto found =
      std::find_if(expected_errors.begin(), expected_errors.end(), [phase](const auto& expected) {
        return expected.phase == moe_phase_name(phase) || expected.phase == "any";
      });
  return found == expected_errors.end() ? nullptr : &*found;
}

ComparedRun measured_run(const EventTimeline& timeline,
                         const PhaseRules& rules,
                         const std::string& label) {
  ComparedRun run;
  run.label = label;
  const PhaseAssignment assignment = recognise_phases(timeline, rules);
  const ClockAlignment alignment = align_clocks(timeline);
  const auto waits = waiting_times(timeline, alignment);
  const auto totals = phase_totals(timeline, assignment, rules);
  double all_s = 0;
  double unknown_s = 0;
  for (std::size_t process = 0; process < totals.size(); ++process) {
    run.ranks.push_back(timeline.tables.processes[process].rank);
    auto& cells = run.phases.emplace_back();
    for (std::size_t phase = 0; phase < kMoePhases; ++phase) {
      const PhaseTotal& total = totals[process][phase];
      cells[phase].time_s = static_cast<double>(total.time_ns) * kNanosecond;
      cells[phase].count = total.count;
      cells[phase].bytes = total.timed_bytes_ns > 0 ? static_cast<double>(total.bytes) : -1;
      cells[phase].bytes_time_s = static_cast<double>(total.timed_bytes_ns) * kNanosecond;
      all_s += cells[phase].time_s;
    }
    unknown_s += cells[phase_index(MoePhase::Unclassified)].time_s;
  }
  std::int64_t first_ns = INT64_MAX;
  for (std::size_t i = 0; i < timeline.events.size(); ++i) {
    const TimelineEvent& event = timeline.events[i];
    if (is_device_work(event.kind)) {
      first_ns = std::min(first_ns, alignment.clocks[event.process].corrected(event.start_ns));
    }
  }
  for (std::size_t i = 0; i < timeline.events.size(); ++i) {
    const TimelineEvent& event = timeline.events[i];
    if (!is_device_work(event.kind)) {
      continue;
    }
    const MoePhase phase = assignment.phases[i];
    if (waits[i] >= 0) {
      add_known(run.phases[event.process][phase_index(phase)].wait_s,
                static_cast<double>(waits[i]) * kNanosecond);
    }
    run.intervals.push_back(
        {.row = event.process,
         .phase = phase,
         .start_ns = alignment.clocks[event.process].corrected(event.start_ns) - first_ns,
         .duration_ns = event.duration_ns,
         .name = timeline.name(event)});
  }
  if (all_s > 0) {
    run.notes.push_back(fmt::format(
        "{:.1f} % of the GPU time matched no rule and {:.1f} % is other",
        100 * unknown_s / all_s,
        100 * run.mean(MoePhase::Other).time_s * static_cast<double>(run.phases.size()) / all_s));
  }
  run.notes.insert(run.notes.end(), alignment.notes.begin(), alignment.notes.end());
  for (const TimelineNote& note : timeline.tables.notes) {
    if (note.kind != TimelineNote::Kind::LeftOut) {
      run.notes.push_back(
          fmt::format("{}: {} {}", note_kind_name(note.kind), note.count, note.text));
    }
  }
  for (std::size_t process = 0; process < run.ranks.size(); ++process) {
    const auto& cells = run.phases[process];
    const bool is_idle = std::all_of(
        cells.begin(), cells.end(), [](const PhaseCell& cell) { return cell.count == 0; });
    if (is_idle) {
      run.notes.push_back(rank_name(timeline.tables.processes[process], process) +
                          ": no device work was recorded");
    }
  }
  return run;
}

}  // namespace switchyard
