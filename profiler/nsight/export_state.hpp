// What the readers of an Nsight Systems export's tables share: strings by number, processes by
// global id, and the sink.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "profiler/nsight/table_reader.hpp"

namespace switchyard {

class NsightExport {
 public:
  NsightExport(const SqliteDatabase& database,
               const std::filesystem::path& path,
               TimelineSink& sink);

  [[nodiscard]] bool has(const std::string& table) const;

  [[nodiscard]] const SqliteDatabase& database() const { return database_; }

  [[nodiscard]] TimelineSink& sink() const { return sink_; }

  /// Whether any table named a process.
  [[nodiscard]] bool has_processes() const {
    return sink_.tables.processes.size() > first_process_;
  }

  /// Index of the process of a global id, which is made if it is new. -1 = not recorded.
  std::uint16_t process(std::int64_t global_id);
  /// The string of a number, looked up once. Throws InvalidInput if there is none.
  NameId name(std::int64_t id, const NsightTable& rows);
  /// Columns 0 and 1 of every table of events are start and end. False for an event that ends
  /// before it starts: noted, and not to be added. Throws InvalidInput if either is missing.
  bool set_times(const NsightTable& rows, TimelineEvent& event) const;
  void add_device_event(const TimelineEvent& event);

  /// No export names ranks: the file's name may, or one process per device. After all events.
  void settle_ranks();
  /// The devices that the events were on. After all events.
  void read_devices();

 private:
  void read_start_time();

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

/// Kernels, copies, memsets, graphs and synchronisation.
void read_device_events(NsightExport& source);
/// Runtime calls, NVTX ranges and what the profiler itself complained of.
void read_host_events(NsightExport& source);

}  // namespace switchyard
