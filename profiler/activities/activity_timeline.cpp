#include "profiler/activities/activity_timeline.hpp"

#include <array>
#include <cstdlib>
#include <memory>
#include <string>

#include <cxxabi.h>
#include <fmt/format.h>

#include "profiler/activities/launch_occupancy.hpp"

namespace switchyard {
namespace {

std::string demangled(const std::string& name) {
  struct Free {
    void operator()(char* text) const { std::free(text); }
  };

  int status = 0;
  const std::unique_ptr<char, Free> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status));
  return status == 0 && text ? text.get() : name;
}

template <std::size_t size>
std::string entry_or(const std::array<const char*, size>& names,
                     std::uint32_t index,
                     const std::string& what) {
  return index < size ? names[index] : fmt::format("{} {}", what, index);
}

// CUpti_ActivityMemcpyKind.
std::string copy_name(std::uint32_t kind) {
  static constexpr std::array kNames{"memcpy",
                                     "memcpy HtoD",
                                     "memcpy DtoH",
                                     "memcpy HtoA",
                                     "memcpy AtoH",
                                     "memcpy AtoA",
                                     "memcpy AtoD",
                                     "memcpy DtoA",
                                     "memcpy DtoD",
                                     "memcpy HtoH",
                                     "memcpy PtoP"};
  return entry_or(kNames, kind, "memcpy");
}

// CUpti_ActivitySynchronizationType.
std::string synchronisation_name(std::uint32_t type) {
  static constexpr std::array kNames{"synchronise",
                                     "event synchronise",
                                     "stream wait event",
                                     "stream synchronise",
                                     "context synchronise"};
  return entry_or(kNames, type, "synchronise");
}

// CUpti_ActivityOverheadKind: the driver's compiler, or a number in the upper half.
std::string overhead_name(std::uint32_t kind) {
  static constexpr std::array kNames{"overhead",
                                     "CUPTI buffer flush",
                                     "CUPTI instrumentation",
                                     "CUPTI resource",
                                     "module loading",
                                     "lazy function loading",
                                     "command buffer full",
                                     "CUPTI buffer request",
                                     "CUPTI unified memory set-up"};
  constexpr unsigned kShift = 16;
  return kind == 1 ? "driver compiler" : entry_or(kNames, kind >> kShift, "overhead");
}

std::int64_t signed_time(std::uint64_t time) {
  return static_cast<std::int64_t>(time);
}

bool is_on_device(ActivityKind kind) {
  return kind == ActivityKind::Kernel || kind == ActivityKind::Copy ||
         kind == ActivityKind::PeerCopy || kind == ActivityKind::Set ||
         kind == ActivityKind::GraphLaunch;
}

EventKind event_kind(ActivityKind kind) {
  switch (kind) {
    case ActivityKind::Kernel:
      return EventKind::Kernel;
    case ActivityKind::Copy:
      return EventKind::Memcpy;
    case ActivityKind::PeerCopy:
      return EventKind::PeerCopy;
    case ActivityKind::Set:
      return EventKind::Memset;
    case ActivityKind::Synchronisation:
      return EventKind::Synchronisation;
    case ActivityKind::GraphLaunch:
      return EventKind::GraphLaunch;
    case ActivityKind::HostCall:
      return EventKind::ApiCall;
    case ActivityKind::Overhead:
      return EventKind::Overhead;
    default:
      return EventKind::Range;
  }
}

}  // namespace

ActivityTimeline::ActivityTimeline(TimelineSink& sink, const SpoolOwner& owner)
    : sink_(sink), process_(static_cast<std::uint16_t>(sink.tables.processes.size())) {
  TimelineProcess process;
  process.rank = owner.rank;
  process.world_size = owner.world_size;
  process.process_id = owner.process_id;
  process.host = owner.host;
  process.epoch_unix_ns = owner.epoch_unix_ns;
  sink_.tables.processes.push_back(process);
}

NameId ActivityTimeline::kernel_name(std::uint32_t index, const ActivityLog& log) {
  if (index == kNoName) {
    return sink_.intern("kernel without a name");
  }
  if (kernel_names_.size() < log.names.size()) {
    kernel_names_.resize(log.names.size(), NameId(-1));
  }
  NameId& known = kernel_names_[index];
  if (known.value < 0) {
    known = sink_.intern(demangled(log.names[index]));
  }
  return known;
}

NameId ActivityTimeline::name_of(const ActivityRecord& record, const ActivityLog& log) {
  switch (record.kind) {
    case ActivityKind::Kernel:
      return kernel_name(record.name, log);
    case ActivityKind::Copy:
      return sink_.intern(copy_name(record.detail));
    case ActivityKind::PeerCopy:
      return sink_.intern("memcpy PtoP");
    case ActivityKind::Set:
      return sink_.intern("memset");
    case ActivityKind::Synchronisation:
      return sink_.intern(synchronisation_name(record.detail));
    case ActivityKind::GraphLaunch:
      return sink_.intern(fmt::format("graph {}", record.graph));
    case ActivityKind::Overhead:
      return sink_.intern(overhead_name(record.detail));
    default:
      break;
  }
  const std::string& text = log.name_of(record.name);
  return sink_.intern(record.domain == kNoName ? text : log.name_of(record.domain) + ": " + text);
}

TimelineEvent ActivityTimeline::event_of(const ActivityRecord& record, const ActivityLog& log) {
  TimelineEvent event;
  event.kind = event_kind(record.kind);
  event.process = process_;
  event.name = name_of(record, log);
  event.start_ns = signed_time(record.start);
  event.duration_ns = signed_time(record.end - record.start);
  event.correlation = record.correlation == 0 ? -1 : std::int64_t{record.correlation};
  if (is_on_device(record.kind)) {
    event.device = static_cast<std::int32_t>(record.device);
    event.stream = record.stream;
  } else if (record.thread != 0) {
    event.stream = record.thread;
  }
  if (record.kind == ActivityKind::Copy || record.kind == ActivityKind::PeerCopy ||
      record.kind == ActivityKind::Set) {
    event.bytes = signed_time(record.bytes);
  }
  if (record.kind == ActivityKind::PeerCopy) {
    event.peer_device = static_cast<std::int32_t>(record.peer_device);
  }
  return event;
}

// Buffers of different threads may come in any order, so an end may be seen before its start.
void ActivityTimeline::add_range_record(const ActivityRecord& record, const ActivityLog& log) {
  if (record.kind == ActivityKind::RangeStart) {
    const OpenRange range{record.start, name_of(record, log), record.thread};
    const auto end = early_ends_.find(record.id);
    if (end == early_ends_.end()) {
      open_ranges_[record.id] = range;
    } else {
      add_range(range, end->second);
      early_ends_.erase(end);
    }
    return;
  }
  const auto open = open_ranges_.find(record.id);
  if (open == open_ranges_.end()) {
    early_ends_[record.id] = record.start;
  } else {
    add_range(open->second, record.start);
    open_ranges_.erase(open);
  }
}

void ActivityTimeline::add_range(const OpenRange& range, std::uint64_t end) {
  if (end < range.start) {
    ++reversed_ranges_;
    return;
  }
  TimelineEvent event;
  event.kind = EventKind::Range;
  event.process = process_;
  event.name = range.name;
  event.start_ns = signed_time(range.start);
  event.duration_ns = signed_time(end - range.start);
  event.stream = range.thread;
  sink_.add(event);
}

void ActivityTimeline::add_device(const DeviceFacts& facts, const ActivityLog& log) {
  if (!devices_.emplace(facts.id, facts).second) {
    return;
  }
  TimelineDevice device;
  device.process = process_;
  device.device = static_cast<std::int32_t>(facts.id);
  device.name = log.name_of(facts.name);
  device.multiprocessors = static_cast<std::int32_t>(facts.multiprocessors);
  device.memory_bytes = signed_time(facts.memory_bytes);
  sink_.tables.devices.push_back(device);
}

void ActivityTimeline::add_occupancy(const ActivityRecord& kernel, NameId name) {
  const auto device = devices_.find(kernel.device);
  if (device == devices_.end()) {
    return;
  }
  const auto duration = static_cast<double>(kernel.end - kernel.start);
  KernelShare& share = occupancy_[name.value];
  share.occupied_ns += duration * theoretical_occupancy(kernel, device->second);
  share.total_ns += duration;
}

void ActivityTimeline::add(const ActivityLog& log) {
  for (const DeviceFacts& device : log.devices) {
    add_device(device, log);
  }
  for (const ActivityRecord& record : log.records) {
    if (record.kind == ActivityKind::RangeStart || record.kind == ActivityKind::RangeEnd) {
      add_range_record(record, log);
      continue;
    }
    const TimelineEvent event = event_of(record, log);
    sink_.add(event);
    device_activities_ += is_on_device(record.kind) ? 1 : 0;
    if (record.kind == ActivityKind::Kernel) {
      ++kernels_;
      add_occupancy(record, event.name);
    }
  }
  unknown_kinds_ = log.unknown_kinds;
  untimed_ = log.untimed;
  dropped_ = log.dropped;
  malformed_ = log.malformed;
}

void ActivityTimeline::finish(const SpoolSummary& summary) {
  using Kind = TimelineNote::Kind;
  const auto note = [this](Kind kind, const std::string& text, std::uint64_t count) {
    if (count > 0) {
      sink_.tables.note(kind, text, static_cast<std::int64_t>(count));
    }
  };
  note(Kind::Lost, "activities that CUPTI dropped for want of buffers", dropped_);
  note(Kind::Lost, "activities without a time: unfinished, or no memory for time stamps", untimed_);
  note(Kind::Lost, "CUPTI buffers that ended in something that is no record", malformed_);
  note(Kind::Lost, "bytes of the last records, cut as the program died", summary.lost_bytes);
  note(Kind::Lost, "NVTX ranges still open at the end", open_ranges_.size());
  note(Kind::Lost, "NVTX range ends without a start", early_ends_.size());
  note(Kind::Lost, "NVTX ranges that end before they start", reversed_ranges_);
  for (const auto& [kind, count] : unknown_kinds_) {
    note(Kind::LeftOut, fmt::format("CUPTI records of kind {}", kind), count);
  }
  if (!summary.is_complete) {
    note(Kind::Doubtful, "the program did not end by itself: its last second may be missing", 1);
  }
  for (const auto& [name, share] : occupancy_) {
    if (share.total_ns > 0) {
      sink_.tables.counters.push_back({.process = process_,
                                       .kernel = NameId(name),
                                       .counter = "theoretical_occupancy",
                                       .value = share.occupied_ns / share.total_ns,
                                       .unit = "fraction"});
    }
  }
}

SpoolContent add_spool(const std::filesystem::path& path,
                       const SpoolOwner& owner,
                       TimelineSink& sink) {
  ActivityTimeline timeline(sink, owner);
  SpoolContent content;
  const SpoolSummary summary =
      read_spool(path, [&](const SpoolSummary& /*so_far*/, const ActivityLog& log) {
        timeline.add(log);
        content.lost = log.dropped + log.untimed;
      });
  timeline.finish(summary);
  content.kernels = timeline.kernels();
  content.device_activities = timeline.device_activities();
  return content;
}

}  // namespace switchyard
