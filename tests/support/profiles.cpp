#include "tests/support/profiles.hpp"

#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/files/sqlite.hpp"
#include "profiler/timeline_importer.hpp"

namespace switchyard::testing {

EventTimeline import_profile(const std::filesystem::path& path,
                             const std::map<std::string, std::int64_t>& settings) {
  const auto names = matching_timeline_importers(path);
  if (names.size() != 1) {
    throw InvalidInput(fmt::format("{} formats match", names.size()), {path.string(), ""});
  }
  Parameters parameters(nlohmann::json(settings), {"--set", ""});
  const auto importer =
      Registry<TimelineImporter>::instance().create(names.front(), "importer", parameters);
  EventTimeline timeline;
  import_timeline(*importer, path, timeline, {});
  return timeline;
}

KindSum sum_of(const EventTimeline& timeline, EventKind kind) {
  KindSum sum;
  for (const TimelineEvent& event : timeline.events) {
    if (event.kind == kind) {
      sum.count += 1;
      sum.time_ns += event.duration_ns;
    }
  }
  return sum;
}

std::int64_t note_count(const EventTimeline& timeline,
                        TimelineNote::Kind kind,
                        const std::string& words) {
  for (const TimelineNote& note : timeline.tables.notes) {
    if (note.kind == kind && note.text.find(words) != std::string::npos) {
      return note.count;
    }
  }
  return 0;
}

std::string kineto_document(const std::string& events, int rank, int world_size) {
  return fmt::format(
      R"({{"schemaVersion":1,"distributedInfo":{{"rank":{},"world_size":{}}},"traceEvents":[{}]}})",
      rank,
      world_size,
      events);
}

std::string kineto_kernel(const std::string& name,
                          const std::string& start,
                          const std::string& duration,
                          const std::string& arguments) {
  return fmt::format(R"({{"ph":"X","cat":"kernel","name":"{}","pid":0,"tid":7,"ts":{},"dur":{},)"
                     R"("args":{{"device":0,"stream":7,"correlation":9{}{}}}}})",
                     name,
                     start,
                     duration,
                     arguments.empty() ? "" : ",",
                     arguments);
}

std::filesystem::path nsight_export(const TemporaryFolder& folder, const std::string& sql) {
  const std::filesystem::path path = folder.path() / "export.sqlite";
  std::filesystem::remove(path);
  std::ofstream(path).close();
  const SqliteDatabase database(path, SqliteDatabase::Mode::Write, {path.string(), ""});
  // Process 145 with thread 146: the numbers nsys packs into its global ids.
  const std::int64_t process = INT64_C(145) << 24;
  const std::int64_t thread = process + 146;
  database.run(fmt::format(R"(
    CREATE TABLE META_DATA_EXPORT (name TEXT, value TEXT);
    CREATE TABLE StringIds (id INTEGER PRIMARY KEY, value TEXT);
    INSERT INTO StringIds VALUES (1, 'deep_ep::intranode::dispatch<2>'), (2, 'cudaLaunchKernel'), (3, 'layer 4');
    CREATE TABLE TARGET_INFO_SESSION_START_TIME (utcEpochNs INTEGER);
    INSERT INTO TARGET_INFO_SESSION_START_TIME VALUES (1779782330176752435);
    CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER, end INTEGER, deviceId INTEGER, streamId INTEGER,
      correlationId INTEGER, globalPid INTEGER, demangledName INTEGER);
    INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (1000, 3000, 1, 7, 5, {0}, 1);
    CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (start INTEGER, end INTEGER, globalTid INTEGER,
      correlationId INTEGER, nameId INTEGER);
    INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (900, 910, {1}, 5, 2);
    CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY (start INTEGER, end INTEGER, deviceId INTEGER, streamId INTEGER,
      correlationId INTEGER, globalPid INTEGER, bytes INTEGER, copyKind INTEGER, dstDeviceId INTEGER);
    INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES (3000, 3100, 1, 7, 6, {0}, 64, 10, 2);
    CREATE TABLE NVTX_EVENTS (start INTEGER, end INTEGER, eventType INTEGER, globalTid INTEGER, text TEXT, textId INTEGER);
    INSERT INTO NVTX_EVENTS VALUES (800, 990, 59, {1}, NULL, 3), (800, NULL, 34, {1}, 'mark', NULL);
  )",
                           process,
                           thread));
  if (!sql.empty()) {
    database.run(sql);
  }
  return path;
}

}  // namespace switchyard::testing
