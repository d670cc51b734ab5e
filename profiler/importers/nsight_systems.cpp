// Nsight Systems' SQLite export (`nsys export --type sqlite`), any schema: tables are made lazily
// and columns vary by version, so that both are asked for; what is missing is named.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/files/sqlite.hpp"
#include "profiler/nsight/table_reader.hpp"
#include "profiler/timeline_importer.hpp"

namespace switchyard {
namespace {

using NoteKind = TimelineNote::Kind;

constexpr std::array<const char*, 6> kDeviceTables{"CUPTI_ACTIVITY_KIND_KERNEL",
                                                   "CUPTI_ACTIVITY_KIND_MEMCPY",
                                                   "CUPTI_ACTIVITY_KIND_MEMSET",
                                                   "CUPTI_ACTIVITY_KIND_GRAPH_TRACE",
                                                   "CUPTI_ACTIVITY_KIND_RUNTIME",
                                                   "NVTX_EVENTS"};
constexpr std::int64_t kPeerToPeer = 10;  // CUPTI_ACTIVITY_MEMCPY_KIND_PTOP
constexpr std::int64_t kPushPop = 59;
constexpr std::int64_t kStartEnd = 60;
constexpr std::int64_t kSevere = 3;  // ENUM_DIAGNOSTIC_SEVERITY_LEVEL: error

// The lower 24 bits of a global thread id are the thread, the next 24 the process.
std::int64_t process_of(std::int64_t global_id) {
  return (global_id >> 24U) & 0xffffff;
}

std::int64_t thread_of(std::int64_t global_id) {
  return global_id & 0xffffff;
}

using Column = NsightColumn;

class ExportReader {
 public:
  ExportReader(const SqliteDatabase& database,
               const std::filesystem::path& path,
               TimelineSink& sink)
      : database_(database),
        path_(path),
        sink_(sink),
        tables_(database.tables()),
        first_process_(sink.tables.processes.size()) {}

  void read() {
    require_tables();
    sink_.tables.format = "nsight_systems";
    sink_.tables.source = path_.string();
    read_start_time();
    read_kernels();
    read_copies();
    read_memsets();
    read_graphs();
    read_synchronisation();
    read_calls();
    read_ranges();
    read_diagnostics();
    if (sink_.tables.processes.size() == first_process_) {
      throw InvalidInput("is an Nsight Systems export without any GPU event, call or range",
                         database_.where(),
                         "profile with nsys profile --trace=cuda,nvtx");
    }
    settle_ranks();
    read_devices();
  }

 private:
  [[nodiscard]] bool has(const std::string& table) const {
    return std::find(tables_.begin(), tables_.end(), table) != tables_.end();
  }

  void require_tables() const {
    const bool has_any = std::any_of(kDeviceTables.begin(),
                                     kDeviceTables.end(),
                                     [this](const char* table) { return has(table); });
    if (!has("StringIds") || !has_any) {
      throw InvalidInput(
          fmt::format("is an SQLite file, but no Nsight Systems export with GPU events: it has no "
                      "table {}",
                      has("StringIds") ? fmt::format("{}", fmt::join(kDeviceTables, " nor "))
                                       : std::string("StringIds")),
          database_.where(),
          "profile with nsys profile --trace=cuda,nvtx, then nsys export --type sqlite");
    }
  }

  void read_start_time() {
    if (has("TARGET_INFO_SESSION_START_TIME")) {
      NsightTable rows(
          database_, "TARGET_INFO_SESSION_START_TIME", {{.names = {"utcEpochNs"}}}, sink_.tables);
      if (rows.next() && !rows.is_null(0)) {
        epoch_ns_ = rows.whole(0);
      }
    }
  }

  std::uint16_t process(std::int64_t global_id) {
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

  // Strings are looked up once; a number without a string is an error.
  NameId name(std::int64_t id, const NsightTable& rows) {
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

  // Columns 0 and 1 of every table are start and end.
  bool set_times(const NsightTable& rows, TimelineEvent& event) {
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

  void read_kernels() {
    if (!has("CUPTI_ACTIVITY_KIND_KERNEL")) {
      return;
    }
    NsightTable rows(database_,
                     "CUPTI_ACTIVITY_KIND_KERNEL",
                     {{.names = {"start"}, .is_needed = true},
                      {.names = {"end"}, .is_needed = true},
                      {.names = {"deviceId"}},
                      {.names = {"streamId"}},
                      {.names = {"correlationId"}},
                      {.names = {"globalPid"}},
                      {.names = {"demangledName", "shortName", "mangledName"}, .is_needed = true}},
                     sink_.tables);
    while (rows.next()) {
      TimelineEvent event;
      event.kind = EventKind::Kernel;
      if (set_times(rows, event)) {
        event.device = rows.narrow(2);
        event.stream = rows.whole(3);
        event.correlation = rows.whole(4);
        event.process = process(rows.whole(5));
        event.name = name(rows.whole(6), rows);
        add_device_event(event);
      }
    }
  }

  void add_device_event(const TimelineEvent& event) {
    devices_[event.process].emplace(event.device, 0).first->second += 1;
    sink_.add(event);
  }

  void read_copies() {
    if (!has("CUPTI_ACTIVITY_KIND_MEMCPY")) {
      return;
    }
    NsightTable rows(database_,
                     "CUPTI_ACTIVITY_KIND_MEMCPY",
                     {{.names = {"start"}, .is_needed = true},
                      {.names = {"end"}, .is_needed = true},
                      {.names = {"deviceId"}},
                      {.names = {"streamId"}},
                      {.names = {"correlationId"}},
                      {.names = {"globalPid"}},
                      {.names = {"bytes"}},
                      {.names = {"copyKind"}},
                      {.names = {"dstDeviceId"}}},
                     sink_.tables);
    const auto labels = copy_labels();
    while (rows.next()) {
      TimelineEvent event;
      event.kind = rows.whole(7) == kPeerToPeer ? EventKind::PeerCopy : EventKind::Memcpy;
      if (set_times(rows, event)) {
        event.device = rows.narrow(2);
        event.stream = rows.whole(3);
        event.correlation = rows.whole(4);
        event.process = process(rows.whole(5));
        event.bytes = rows.whole(6);
        event.peer_device = event.kind == EventKind::PeerCopy ? rows.narrow(8) : -1;
        const auto label = labels.find(rows.whole(7));
        event.name = sink_.intern(label == labels.end() ? "memcpy" : "memcpy " + label->second);
        add_device_event(event);
      }
    }
  }

  [[nodiscard]] std::map<std::int64_t, std::string> copy_labels() const {
    std::map<std::int64_t, std::string> labels;
    if (has("ENUM_CUDA_MEMCPY_OPER")) {
      NsightTable rows(database_,
                       "ENUM_CUDA_MEMCPY_OPER",
                       {{.names = {"id"}}, {.names = {"label", "name"}}},
                       sink_.tables);
      while (rows.next()) {
        labels.emplace(rows.whole(0), rows.text(1));
      }
    }
    return labels;
  }

  void read_memsets() {
    read_simple("CUPTI_ACTIVITY_KIND_MEMSET", EventKind::Memset, "memset", "bytes");
  }

  void read_graphs() {
    read_simple("CUPTI_ACTIVITY_KIND_GRAPH_TRACE", EventKind::GraphLaunch, "CUDA graph", "");
  }

  void read_synchronisation() {
    read_simple(
        "CUPTI_ACTIVITY_KIND_SYNCHRONIZATION", EventKind::Synchronisation, "synchronise", "");
  }

  // Tables whose events have no name of their own.
  void read_simple(const std::string& table,
                   EventKind kind,
                   std::string_view name,
                   const std::string& bytes) {
    if (!has(table)) {
      return;
    }
    std::vector<Column> columns{{.names = {"start"}, .is_needed = true},
                                {.names = {"end"}, .is_needed = true},
                                {.names = {"deviceId"}},
                                {.names = {"streamId"}},
                                {.names = {"correlationId"}},
                                {.names = {"globalPid"}}};
    if (!bytes.empty()) {
      columns.push_back({.names = {bytes}});
    }
    NsightTable rows(database_, table, columns, sink_.tables);
    const NameId interned = sink_.intern(name);
    while (rows.next()) {
      TimelineEvent event;
      event.kind = kind;
      event.name = interned;
      if (set_times(rows, event)) {
        event.device = rows.narrow(2);
        event.stream = rows.whole(3);
        event.correlation = rows.whole(4);
        event.process = process(rows.whole(5));
        event.bytes = bytes.empty() ? -1 : rows.whole(6);
        sink_.add(event);
      }
    }
  }

  void read_calls() {
    if (!has("CUPTI_ACTIVITY_KIND_RUNTIME")) {
      return;
    }
    NsightTable rows(database_,
                     "CUPTI_ACTIVITY_KIND_RUNTIME",
                     {{.names = {"start"}, .is_needed = true},
                      {.names = {"end"}, .is_needed = true},
                      {.names = {"globalTid"}},
                      {.names = {"correlationId"}},
                      {.names = {"nameId"}, .is_needed = true}},
                     sink_.tables);
    while (rows.next()) {
      TimelineEvent event;
      event.kind = EventKind::ApiCall;
      if (set_times(rows, event)) {
        const std::int64_t thread = rows.whole(2);
        event.process = process(thread);
        event.stream = thread < 0 ? -1 : thread_of(thread);
        event.correlation = rows.whole(3);
        event.name = name(rows.whole(4), rows);
        sink_.add(event);
      }
    }
  }

  void read_ranges() {
    if (!has("NVTX_EVENTS")) {
      return;
    }
    NsightTable rows(database_,
                     "NVTX_EVENTS",
                     {{.names = {"start"}, .is_needed = true},
                      {.names = {"end"}, .is_needed = true},
                      {.names = {"eventType"}, .is_needed = true},
                      {.names = {"globalTid"}},
                      {.names = {"text"}},
                      {.names = {"textId"}}},
                     sink_.tables);
    while (rows.next()) {
      const std::int64_t type = rows.whole(2);
      if (type != kPushPop && type != kStartEnd) {
        sink_.tables.note(NoteKind::LeftOut, "NVTX marks and definitions");
        continue;
      }
      if (rows.is_null(1)) {
        sink_.tables.note(NoteKind::Lost, "NVTX range that never ends: left out");
        continue;
      }
      TimelineEvent event;
      event.kind = EventKind::Range;
      if (set_times(rows, event)) {
        const std::int64_t thread = rows.whole(3);
        event.process = process(thread);
        event.stream = thread < 0 ? -1 : thread_of(thread);
        event.name = rows.is_null(4) && !rows.is_null(5) ? name(rows.whole(5), rows)
                                                         : sink_.intern(rows.text(4));
        sink_.add(event);
      }
    }
  }

  // What the profiler itself complained of.
  void read_diagnostics() {
    if (!has("DIAGNOSTIC_EVENT")) {
      return;
    }
    NsightTable rows(database_,
                     "DIAGNOSTIC_EVENT",
                     {{.names = {"severity"}}, {.names = {"text"}}},
                     sink_.tables);
    while (rows.next()) {
      if (rows.whole(0) == kSevere) {
        sink_.tables.note(NoteKind::Lost, "nsys reports: " + std::string(rows.text(1)));
      }
    }
  }

  // No export names ranks: the file may, or one process per device.
  void settle_ranks() {
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

  void read_devices() {
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

  const SqliteDatabase& database_;
  std::filesystem::path path_;
  TimelineSink& sink_;
  std::vector<std::string> tables_;
  std::size_t first_process_;
  std::optional<std::int64_t> epoch_ns_;
  std::map<std::int64_t, std::uint16_t> processes_;                        // by process id
  std::map<std::uint16_t, std::map<std::int32_t, std::int64_t>> devices_;  // events by device
  std::unordered_map<std::int64_t, NameId> names_;
};

class NsightSystemsImporter final : public TimelineImporter {
 public:
  explicit NsightSystemsImporter(Parameters& /*parameters*/) {}

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    if (!is_sqlite_file(path)) {
      return false;
    }
    try {
      const SqliteDatabase database(path, SqliteDatabase::Mode::ReadOnly, {});
      const auto tables = database.tables();
      return std::any_of(tables.begin(), tables.end(), [](const std::string& table) {
        return table == "META_DATA_EXPORT" || table == "StringIds" ||
               table.starts_with("CUPTI_ACTIVITY_KIND_");
      });
    } catch (const Error&) {
      return false;  // whoever reads it in earnest will say why
    }
  }

  void read(const std::filesystem::path& path,
            TimelineSink& sink,
            const Progress& /*progress*/) const override {
    const SqliteDatabase database(path, SqliteDatabase::Mode::ReadOnly, {path.string(), ""});
    ExportReader(database, path, sink).read();
  }
};

const Register<TimelineImporter, NsightSystemsImporter> kNsightSystems{
    "nsight_systems", "Nsight Systems SQLite export, schema 3.x"};

}  // namespace
}  // namespace switchyard
