// What `simulate --save` or `--json` wrote, as one side of a comparison.
#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/files/sqlite.hpp"
#include "core/numbers/units.hpp"
#include "report/comparison/compared_run.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

std::int64_t nanoseconds(double seconds) {
  constexpr double kUnit = 1e-9;
  return std::llround(seconds / kUnit);
}

// Work is told apart by the name of the phase: a layer may hold attention, merging of experts and
// more. Files of earlier versions have no names.
MoePhase phase_of(std::string_view lane, std::string_view name) {
  if (lane == "dispatch") {
    return MoePhase::Dispatch;
  }
  if (lane == "combine") {
    return MoePhase::Combine;
  }
  if (lane == "wait") {
    return MoePhase::Wait;
  }
  const bool is_expert = name.empty() || name.find("expert") != std::string_view::npos;
  return lane == "compute" && is_expert ? MoePhase::ExpertGemm : MoePhase::Other;
}

bool has_name(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Rows of a result's `event` table, rank by rank in the order of time. Times are from the start of
// the replay.
struct SimulatedEvent {
  std::int64_t layer = 0;
  std::int64_t rank = 0;
  MoePhase phase = MoePhase::Other;
  bool is_collective = false;
  std::string name;
  double start_s = 0;
  double duration_s = 0;
};

std::vector<SimulatedEvent> read_events(const SqliteDatabase& database) {
  const std::string name = has_name(database.columns("event"), "phase") ? "phase" : "''";
  SqliteStatement query(database,
                        fmt::format("SELECT layer, rank, lane, {}, start_s, duration_s FROM event "
                                    "ORDER BY rank, start_s, rowid",
                                    name));
  std::vector<SimulatedEvent> events;
  while (query.step()) {
    SimulatedEvent event{.layer = query.integer(0),
                         .rank = query.integer(1),
                         .phase = phase_of(query.text(2), query.text(3)),
                         .is_collective = query.text(2) != "compute" && query.text(2) != "wait",
                         .name = std::string(query.text(3)),
                         .start_s = query.real(4),
                         .duration_s = query.real(5)};
    if (event.rank < 0 || !(event.duration_s >= 0) || !std::isfinite(event.start_s)) {
      throw InvalidInput("table event holds a row without rank or with a wrong time",
                         database.where(),
                         "simulate again with --save");
    }
    events.push_back(std::move(event));
  }
  return events;
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
  // The waiting of a rank goes to the collective that follows it.
  std::map<std::int64_t, double> waited_s;
  for (const SimulatedEvent& event : events) {
    const std::size_t row = rows[event.rank];
    const std::string_view name = event.name.empty() ? moe_phase_name(event.phase) : event.name;
    run.intervals.push_back(
        {.row = static_cast<std::int32_t>(row),
         .phase = event.phase,
         .start_ns = nanoseconds(event.start_s),
         .duration_ns = nanoseconds(event.start_s + event.duration_s) - nanoseconds(event.start_s),
         .name = fmt::format("{} L{}", name, event.layer)});
    if (event.phase == MoePhase::Wait) {
      waited_s[event.rank] += event.duration_s;
      continue;
    }
    PhaseCell& cell = run.phases[row][phase_index(event.phase)];
    cell.time_s += event.duration_s;
    cell.count += 1;
    if (event.is_collective) {
      const double wait_s = std::exchange(waited_s[event.rank], 0.0);
      cell.time_s += wait_s;
      add_known(cell.wait_s, wait_s);
    }
  }
}

// The simulator keeps the bytes of a phase over all ranks.
void read_bytes(const SqliteDatabase& database, ComparedRun& run) {
  SqliteStatement query(database,
                        "SELECT lane, phase, sum(bytes) FROM phase WHERE lane != 'compute' "
                        "GROUP BY lane, phase ORDER BY lane, phase");
  while (query.step()) {
    std::optional<double>& bytes =
        run.mean_bytes[phase_index(phase_of(query.text(0), query.text(1)))];
    bytes = bytes.value_or(0) + query.real(2) / static_cast<double>(run.ranks.size());
  }
}

void read_expected_errors(const SqliteDatabase& database, ComparedRun& run) {
  SqliteStatement query(
      database,
      "SELECT phase, calibration, model, hardware, median, p95, rows, is_held_out "
      "FROM expected_error ORDER BY rowid");
  while (query.step()) {
    run.expected_errors.push_back({.phase = std::string(query.text(0)),
                                   .calibration = std::string(query.text(1)),
                                   .model = std::string(query.text(2)),
                                   .hardware = std::string(query.text(3)),
                                   .median = query.real(4),
                                   .p95 = query.real(5),
                                   .rows = query.integer(6),
                                   .is_held_out = query.integer(7) != 0});
  }
  SqliteStatement outside(database, "SELECT text FROM outside_calibration ORDER BY rowid");
  while (outside.step()) {
    run.outside_calibration.emplace_back(outside.text(0));
  }
}

void read_expected_errors(const json& document, const std::string& label, ComparedRun& run) {
  if (!document.contains("expected_error")) {
    return;
  }
  try {
    for (const json& expected : document["expected_error"].at("phases")) {
      run.expected_errors.push_back({.phase = expected.at("phase"),
                                     .calibration = expected.at("calibration"),
                                     .model = expected.at("model"),
                                     .hardware = expected.at("hardware"),
                                     .median = expected.at("median"),
                                     .p95 = expected.at("p95"),
                                     .rows = expected.at("rows"),
                                     .is_held_out = expected.at("is_held_out")});
    }
    for (const json& text : document["expected_error"].at("outside_range")) {
      run.outside_calibration.push_back(text);
    }
  } catch (const json::exception& error) {
    throw InvalidInput(
        fmt::format("its expected_error is not what simulate --json writes: {}", error.what()),
        Location{label, ""}.child("expected_error"));
  }
}

// What the reader must know before trusting the simulated times.
void add_calibration_notes(ComparedRun& run) {
  if (run.expected_errors.empty()) {
    run.notes.emplace_back(
        "simulated without calibration: no error to expect (switchyard list calibrations)");
  }
  for (const std::string& text : run.outside_calibration) {
    run.notes.push_back("outside the calibration's range, the expected error does not hold: " +
                        text);
  }
}

}  // namespace

ComparedRun simulated_run(const std::filesystem::path& path) {
  const SqliteDatabase database(path, SqliteDatabase::Mode::ReadOnly, {path.string(), ""});
  const auto tables = database.tables();
  for (const char* needed : {"study", "event", "metric"}) {
    if (!has_name(tables, needed)) {
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
  // Tables that files of earlier versions do not have.
  if (has_name(tables, "phase")) {
    read_bytes(database, run);
  }
  if (has_name(tables, "expected_error")) {
    read_expected_errors(database, run);
  }
  add_calibration_notes(run);
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
      cells[phase_index(phase)].time_s = value.get<double>();
      cells[phase_index(phase)].count = std::ssize(document["layers"]);
    }
  };
  set(MoePhase::Dispatch, "dispatch_s");
  set(MoePhase::ExpertGemm, "compute_s");
  set(MoePhase::Combine, "combine_s");
  read_expected_errors(document, label, run);
  add_calibration_notes(run);
  run.notes.emplace_back(
      "a --json document has times of whole layers, without ranks, waiting and the bytes of a "
      "rank: use --save FILE");
  return run;
}

}  // namespace switchyard
