#include "profiler/nsight/export_state.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "profiler/timeline_importer.hpp"

namespace switchyard {
namespace {

using NoteKind = TimelineNote::Kind;

// Bits 24 to 47 of a global id are the process.
std::int64_t process_of(std::int64_t global_id) {
  return (global_id >> 24U) & 0xffffff;
}

}  // namespace

NsightExport::NsightExport(const SqliteDatabase& database,
                           const std::filesystem::path& path,
                           TimelineSink& sink)
    : database_(database),
      path_(path),
      sink_(sink),
      tables_(database.tables()),
      first_process_(sink.tables.processes.size()) {
  read_start_time();
}

bool NsightExport::has(const std::string& table) const {
  return std::find(tables_.begin(), tables_.end(), table) != tables_.end();
}

void NsightExport::read_start_time() {
  if (has("TARGET_INFO_SESSION_START_TIME")) {
    NsightTable rows(
        database_, "TARGET_INFO_SESSION_START_TIME", {{.names = {"utcEpochNs"}}}, sink_.tables);
    if (rows.next() && !rows.is_null(0)) {
      epoch_ns_ = rows.whole(0);
    }
  }
}

std::uint16_t NsightExport::process(std::int64_t global_id) {
  const std::int64_t process_id = global_id < 0 ? -1 : process_of(global_id);
  const auto found = processes_.find(process_id);
  if (found != processes_.end()) {
    return found->second;
  }
  const auto index = static_cast<std::uint16_t>(sink_.tables.processes.size());
  sink_.tables.processes.push_back({.process_id = process_id, .epoch_unix_ns = epoch_ns_});
  processes_.emplace(process_id, index);
  return index;
}

NameId NsightExport::name(std::int64_t id, const NsightTable& rows) {
  const auto known = names_.find(id);
  if (known != names_.end()) {
    return known->second;
  }
  SqliteStatement query(database_, "SELECT value FROM StringIds WHERE id = ?");
  query.bind(0, id);
  if (!query.step()) {
    rows.fail(fmt::format("there is no string {} in StringIds", id));
  }
  const NameId interned = sink_.intern(query.text(0));
  names_.emplace(id, interned);
  return interned;
}

bool NsightExport::set_times(const NsightTable& rows, TimelineEvent& event) const {
  if (rows.is_null(0) || rows.is_null(1)) {
    rows.fail("start or end is missing");
  }
  event.start_ns = rows.whole(0);
  const std::int64_t end = rows.whole(1);
  if (end < event.start_ns) {
    sink_.tables.note(
        NoteKind::Repaired,
        fmt::format("{} that ends before it starts: left out", event_kind_name(event.kind)));
    return false;
  }
  event.duration_ns = end - event.start_ns;
  return true;
}

void NsightExport::add_device_event(const TimelineEvent& event) {
  devices_[event.process].emplace(event.device, 0).first->second += 1;
  sink_.add(event);
}

void NsightExport::settle_ranks() {
  auto& processes = sink_.tables.processes;
  const std::int32_t named = rank_in_name(path_);
  if (processes.size() - first_process_ == 1 && named >= 0) {
    processes.back().rank = named;
    sink_.tables.note(NoteKind::Doubtful, "rank taken from the file's name");
    return;
  }
  std::map<std::int32_t, std::uint16_t> owners;
  for (const auto& [process, devices] : devices_) {
    if (devices.size() != 1 || devices.begin()->first < 0 ||
        !owners.emplace(devices.begin()->first, process).second) {
      return;
    }
  }
  for (const auto& [device, process] : owners) {
    processes[process].rank = device;
  }
  if (!owners.empty()) {
    sink_.tables.note(NoteKind::Doubtful,
                      "rank taken from the device number, as each process uses one device",
                      static_cast<std::int64_t>(owners.size()));
  }
}

void NsightExport::read_devices() {
  if (!has("TARGET_INFO_GPU")) {
    return;
  }
  NsightTable rows(database_,
                   "TARGET_INFO_GPU",
                   {{.names = {"cuDevice", "id"}},
                    {.names = {"name"}},
                    {.names = {"smCount"}},
                    {.names = {"totalMemory"}}},
                   sink_.tables);
  while (rows.next()) {
    for (const auto& [process, devices] : devices_) {
      if (devices.contains(rows.narrow(0))) {
        sink_.tables.devices.push_back({.process = process,
                                        .device = rows.narrow(0),
                                        .name = std::string(rows.text(1)),
                                        .multiprocessors = rows.narrow(2),
                                        .memory_bytes = rows.whole(3)});
      }
    }
  }
}

}  // namespace switchyard
