#include "report/comparison/compared_run.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/files/sqlite.hpp"
#include "core/numbers/units.hpp"
#include "profiler/clocks/clock_alignment.hpp"
#include "profiler/phases/phase_recognition.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

constexpr double kNanosecond = 1e-9;

std::int64_t nanoseconds(double seconds) {
  return std::llround(seconds / kNanosecond);
}

std::size_t at(MoePhase phase) {
  return static_cast<std::size_t>(phase);
}

void add_known(double& sum, double value) {
  sum = sum < 0 ? value : sum + value;
}

MoePhase phase_of_lane(std::string_view lane) {
  if (lane == "dispatch") {
    return MoePhase::Dispatch;
  }
  if (lane == "combine") {
    return MoePhase::Combine;
  }
  if (lane == "compute") {
    return MoePhase::ExpertGemm;
  }
  return lane == "wait" ? MoePhase::Wait : MoePhase::Other;
}

// Rows of a result's `event` table, rank by rank in the order of time.
struct SimulatedEvent {
  std::int64_t step = 0;
  std::int64_t layer = 0;
  std::int64_t rank = 0;
  MoePhase phase = MoePhase::Other;
  double start_s = 0;
  double duration_s = 0;
};

std::vector<SimulatedEvent> read_events(const SqliteDatabase& database) {
  SqliteStatement query(database,
                        "SELECT step, layer, rank, lane, start_s, duration_s FROM event "
                        "ORDER BY step, rank, start_s, rowid");
  std::vector<SimulatedEvent> events;
  while (query.step()) {
    SimulatedEvent event{.step = query.integer(0),
                         .layer = query.integer(1),
                         .rank = query.integer(2),
                         .phase = phase_of_lane(query.text(3)),
                         .start_s = query.real(4),
                         .duration_s = query.real(5)};
    if (event.rank < 0 || !(event.duration_s >= 0) || !std::isfinite(event.start_s)) {
      throw InvalidInput("table event holds a row without rank or with a wrong time",
                         database.where(),
                         "simulate again with --save");
    }
    events.push_back(event);
  }
  return events;
}

// Steps follow one another: each starts where the one before ended.
std::map<std::int64_t, double> step_starts(const std::vector<SimulatedEvent>& events) {
  std::map<std::int64_t, double> lengths;
  for (const SimulatedEvent& event : events) {
    double& length = lengths[event.step];
    length = std::max(length, event.start_s + event.duration_s);
  }
  double start_s = 0;
  std::map<std::int64_t, double> starts;
  for (const auto& [step, length] : lengths) {
    starts[step] = start_s;
    start_s += length;
  }
  return starts;
}

void fill(ComparedRun& run, const std::vector<SimulatedEvent>& events) {
  std::map<std::int64_t, std::size_t> rows;
  for (const SimulatedEvent& event : events) {
    rows.emplace(event.rank, 0);
  }
  for (auto& [rank, row] : rows) {
    row = run.ranks.size();
    run.ranks.push_back(static_cast<std::int32_t>(rank));
  }
  run.phases.resize(run.ranks.size());
  const auto starts = step_starts(events);
  // The waiting of a rank goes to the exchange that follows it.
  std::map<std::int64_t, double> waited_s;
  for (const SimulatedEvent& event : events) {
    const std::size_t row = rows[event.rank];
    const double start_s = starts.at(event.step) + event.start_s;
    run.intervals.push_back(
        {.row = static_cast<std::int32_t>(row),
         .phase = event.phase,
         .start_ns = nanoseconds(start_s),
         .duration_ns = nanoseconds(start_s + event.duration_s) - nanoseconds(start_s),
         .name = fmt::format("{} L{}", moe_phase_name(event.phase), event.layer)});
    if (event.phase == MoePhase::Wait) {
      waited_s[event.rank] += event.duration_s;
      continue;
    }
    PhaseCell& cell = run.phases[row][at(event.phase)];
    cell.time_s += event.duration_s;
    cell.count += 1;
    if (event.phase == MoePhase::Dispatch || event.phase == MoePhase::Combine) {
      const double wait_s = std::exchange(waited_s[event.rank], 0.0);
      cell.time_s += wait_s;
      add_known(cell.wait_s, wait_s);
    }
  }
}

std::string rank_name(const TimelineProcess& process, std::size_t index) {
  return process.rank >= 0 ? fmt::format("rank {}", process.rank)
                           : fmt::format("process {}", index);
}

}  // namespace

PhaseCell ComparedRun::mean(MoePhase phase) const {
  PhaseCell sum;
  for (const auto& rank : phases) {
    const PhaseCell& cell = rank[at(phase)];
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
  sum.count = std::llround(static_cast<double>(sum.count) / count);
  return sum;
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
    unknown_s += cells[at(MoePhase::Unclassified)].time_s;
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
      add_known(run.phases[event.process][at(phase)].wait_s,
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

ComparedRun simulated_run(const std::filesystem::path& path) {
  const SqliteDatabase database(path, SqliteDatabase::Mode::ReadOnly, {path.string(), ""});
  const auto tables = database.tables();
  for (const char* needed : {"study", "event", "metric"}) {
    if (std::find(tables.begin(), tables.end(), needed) == tables.end()) {
      throw InvalidInput(
          fmt::format("is an SQLite file, but no result of switchyard: it has no table \"{}\"",
                      needed),
          database.where());
    }
  }
  ComparedRun run;
  run.label = path.filename().string();
  run.is_simulated = true;
  fill(run, read_events(database));
  if (run.ranks.empty()) {
    throw InvalidInput("is a result without events: its trace allowed no times",
                       database.where(),
                       "simulate a trace that records ranks (level L1 or better)");
  }
  SqliteStatement query(
      database,
      "SELECT sum(value) FROM metric WHERE name IN ('inter_node_bytes', 'intra_node_bytes')");
  if (query.step() && !query.is_null(0)) {
    run.notes.push_back(
        fmt::format("all exchanges together move {} between ranks",
                    format_quantity(Bytes{static_cast<std::int64_t>(query.real(0))})));
  }
  return run;
}

ComparedRun simulated_run(const json& document, const std::string& label) {
  if (!document.is_object() || !document.contains("total") || !document.contains("layers") ||
      !document["total"].is_object() || !document["layers"].is_array()) {
    throw InvalidInput("is no result of simulate --json", {label, ""});
  }
  ComparedRun run;
  run.label = label;
  run.is_simulated = true;
  run.ranks = {-1};
  auto& cells = run.phases.emplace_back();
  const auto set = [&](MoePhase phase, const char* key) {
    const json& value = document["total"].value(key, json());
    if (value.is_number()) {
      cells[at(phase)].time_s = value.get<double>();
      cells[at(phase)].count = std::ssize(document["layers"]);
    }
  };
  set(MoePhase::Dispatch, "dispatch_s");
  set(MoePhase::ExpertGemm, "compute_s");
  set(MoePhase::Combine, "combine_s");
  run.notes.emplace_back(
      "a --json document has times of whole layers, without ranks and waiting: use --save FILE");
  return run;
}

}  // namespace switchyard
