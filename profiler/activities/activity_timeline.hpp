// Plain activity records to the events of a measured timeline: names demangled, NVTX starts and
// ends paired, what was lost written down as notes, occupancy as a counter of each kernel.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

#include "profiler/activities/activity_spool.hpp"
#include "profiler/event_timeline.hpp"

namespace switchyard {

class ActivityTimeline {
 public:
  /// Adds `owner` to the sink's processes.
  ActivityTimeline(TimelineSink& sink, const SpoolOwner& owner);

  /// Adds the records and devices of `log`; its names and counts are those of all logs so far.
  void add(const ActivityLog& log);
  /// Writes what is known only at the end: ranges left open, counts, occupancy.
  void finish(const SpoolSummary& summary);

  /// Kernels, copies, sets and graphs so far.
  [[nodiscard]] std::int64_t device_activities() const { return device_activities_; }

  [[nodiscard]] std::int64_t kernels() const { return kernels_; }

 private:
  struct OpenRange {
    std::uint64_t start = 0;
    NameId name;
    std::uint32_t thread = 0;
  };

  struct KernelShare {
    double occupied_ns = 0;  // occupancy times duration
    double total_ns = 0;
  };

  NameId name_of(const ActivityRecord& record, const ActivityLog& log);
  NameId kernel_name(std::uint32_t index, const ActivityLog& log);
  TimelineEvent event_of(const ActivityRecord& record, const ActivityLog& log);
  void add_range_record(const ActivityRecord& record, const ActivityLog& log);
  void add_range(const OpenRange& range, std::uint64_t end);
  void add_device(const DeviceFacts& facts, const ActivityLog& log);
  void add_occupancy(const ActivityRecord& kernel, NameId name);

  TimelineSink& sink_;
  std::uint16_t process_;
  std::vector<NameId> kernel_names_;  // by index into ActivityLog::names; -1 = not asked yet
  std::map<std::uint64_t, OpenRange> open_ranges_;     // by range id
  std::map<std::uint64_t, std::uint64_t> early_ends_;  // range id -> when
  std::map<std::uint32_t, DeviceFacts> devices_;
  std::map<std::int32_t, KernelShare> occupancy_;  // by kernel name
  std::uint64_t reversed_ranges_ = 0;
  std::int64_t device_activities_ = 0;
  std::int64_t kernels_ = 0;
  // The last counts seen: they grow with each log.
  std::map<std::uint32_t, std::uint64_t> unknown_kinds_;
  std::uint64_t untimed_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t malformed_ = 0;
};

/// What a spool became.
struct SpoolContent {
  std::int64_t kernels = 0;
  std::int64_t device_activities = 0;
  std::uint64_t lost = 0;  // records dropped or without a time
};

/// Adds the process of a spool and all its events. Throws as read_spool does.
SpoolContent add_spool(const std::filesystem::path& path,
                       const SpoolOwner& owner,
                       TimelineSink& sink);

}  // namespace switchyard
