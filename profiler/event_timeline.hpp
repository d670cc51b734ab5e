// What was measured: one event model for every profiler, with whole nanoseconds on one time base
// per process. Importers and the CUPTI session fill a TimelineSink: an EventTimeline in memory or a
// TimelineWriter (profiler/timeline_file.hpp), so that a trace need not fit in memory.
//
// A process is one rank. Its events lie on tracks: a stream of a device, or a thread of the host.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/identifiers.hpp"

namespace switchyard {

using NameId = Identifier<struct NameTag>;  // index into a NameTable

/// Texts stored once.
class NameTable {
 public:
  NameTable() = default;
  NameTable(const NameTable& other);
  NameTable& operator=(const NameTable& other);
  NameTable(NameTable&&) = default;
  NameTable& operator=(NameTable&&) = default;
  ~NameTable() = default;

  /// The id of `text`, new or known.
  NameId intern(std::string_view text);

  [[nodiscard]] const std::string& text(NameId id) const { return texts_[id.index()]; }

  [[nodiscard]] std::size_t size() const { return texts_.size(); }

 private:
  std::deque<std::string> texts_;  // a deque: the keys below are views of its elements
  std::unordered_map<std::string_view, std::int32_t> ids_;
};

enum class EventKind : std::uint8_t {
  Kernel,           // on a stream; with `collective` if a library said what it moved
  Memcpy,           // between host and device or within a device
  PeerCopy,         // between two devices; `peer_device` is the destination
  Memset,           //
  Range,            // NVTX or user annotation, on a host thread
  DeviceRange,      // the same, as the profiler projected it onto a stream
  Synchronisation,  // a host thread or a stream waits
  ApiCall,          // a runtime or driver call on a host thread
  GraphLaunch,      // a whole CUDA graph on a stream, where its kernels are not recorded
  Communication,    // an operation of a communication library, recorded without its kernel
  Overhead,         // the profiler's own time
};

inline constexpr std::size_t kEventKinds = 11;

/// As files write it: "kernel", "peer_copy".
std::string_view event_kind_name(EventKind kind);
std::optional<EventKind> parse_event_kind(std::string_view name);
/// Whether the event occupies a device (kernel, copies, memset, graph).
bool is_device_work(EventKind kind);

/// One event. -1 means: not recorded, or has none.
struct TimelineEvent {
  std::int64_t start_ns = 0;      // on the process's own clock
  std::int64_t duration_ns = 0;   // never negative
  std::int64_t stream = -1;       // of a device; a thread id where `device` is -1
  std::int64_t correlation = -1;  // joins a device event to the ApiCall that launched it
  std::int64_t bytes = -1;        // moved
  NameId name{};
  std::int32_t collective = -1;  // index of a CollectiveDetail
  std::int32_t device = -1;      // -1 = the host
  std::int32_t peer_device = -1;
  std::uint16_t process = 0;  // index into TimelineTables::processes
  EventKind kind = EventKind::Kernel;

  [[nodiscard]] std::int64_t end_ns() const { return start_ns + duration_ns; }

  bool operator==(const TimelineEvent&) const = default;
};

/// What a communication library recorded about an operation. -1 and empty mean: not recorded.
struct CollectiveDetail {
  NameId
      operation{};  // normalised: "all_to_all", "all_reduce", "send", ... (collective_operation())
  NameId data_type{};
  NameId group{};                  // communicator
  std::int32_t element_bytes = 0;  // 0 = unknown type
  std::int64_t in_elements = -1;   // this rank's send buffer
  std::int64_t out_elements = -1;  // this rank's receive buffer
  std::int64_t sequence = -1;      // number of the call within the group
  std::int32_t group_size = -1;
  std::int32_t source_rank = -1;       // of a point-to-point operation
  std::int32_t destination_rank = -1;  // of a point-to-point operation
  bool has_cut_splits = false;         // the library shortened its lists: they are left empty here
  std::vector<std::int64_t> in_splits{};   // [group_size] elements to each peer
  std::vector<std::int64_t> out_splits{};  // [group_size] elements from each peer
  std::vector<std::int32_t> ranks{};       // [group_size] global ranks of the group

  bool operator==(const CollectiveDetail&) const = default;
};

/// One process, that is, one rank.
struct TimelineProcess {
  std::int32_t rank = -1;
  std::int32_t world_size = -1;
  std::int64_t process_id = -1;
  std::string host{};
  /// Unix time of the clock's zero; nothing where the profiler did not say.
  std::optional<std::int64_t> epoch_unix_ns{};

  bool operator==(const TimelineProcess&) const = default;
};

struct TimelineDevice {
  std::uint16_t process = 0;
  std::int32_t device = -1;
  std::string name{};
  std::int32_t multiprocessors = -1;
  std::int64_t memory_bytes = -1;

  bool operator==(const TimelineDevice&) const = default;
};

/// Totals of equal events, where a tool kept nothing finer. -1 = not recorded.
struct EventSummary {
  EventKind kind = EventKind::Kernel;
  NameId name{};
  std::uint16_t process = 0;
  std::int64_t count = 0;
  std::int64_t total_ns = 0;
  double min_ns = -1;
  double median_ns = -1;
  double max_ns = -1;

  bool operator==(const EventSummary&) const = default;
};

/// One row of a communication benchmark: the mean time of an operation at one message size.
struct CollectiveTiming {
  NameId operation{};
  NameId data_type{};
  std::int32_t ranks = -1;
  std::int32_t rank = -1;   // of a row that speaks for one rank only
  std::int64_t bytes = -1;  // as nccl-tests counts: the whole send buffer of a rank for all-to-all
  double time_ns = 0;
  double algorithm_bandwidth = -1;  // bytes/s, as printed
  double bus_bandwidth = -1;        // bytes/s, as printed
  bool is_in_place = false;
  std::int64_t wrong = -1;  // elements that failed the tool's own check

  bool operator==(const CollectiveTiming&) const = default;
};

/// A value of a hardware counter over one kernel name (or over all: no name).
struct CounterValue {
  std::uint16_t process = 0;
  NameId kernel{};
  std::string counter{};  // "dram__bytes_read.sum"
  double value = 0;
  std::string unit{};

  bool operator==(const CounterValue&) const = default;
};

/// What a reader must know before trusting totals. Equal kinds and texts are added up.
struct TimelineNote {
  enum class Kind {
    LeftOut,   // not part of the model (CPU operators, ...)
    Repaired,  // wrong in the source, mended as the text says
    Lost,      // the profiler or the tool dropped it
    Doubtful,  // kept as it was, but does not look right
  };

  Kind kind = Kind::LeftOut;
  std::string text{};  // "negative duration, set to 0"
  std::int64_t count = 0;

  bool operator==(const TimelineNote&) const = default;
};

std::string_view note_kind_name(TimelineNote::Kind kind);
std::optional<TimelineNote::Kind> parse_note_kind(std::string_view name);

/// The small tables of a timeline; events and collectives may be too many for memory.
struct TimelineTables {
  std::string format;  // what it was read from or recorded by: "kineto", "cupti"
  std::string source;  // path, program line; for people
  NameTable names;
  std::vector<TimelineProcess> processes;
  std::vector<TimelineDevice> devices;
  std::vector<EventSummary> summaries;
  std::vector<CollectiveTiming> timings;
  std::vector<CounterValue> counters;
  std::vector<TimelineNote> notes;

  /// Adds to the note of this kind and text.
  void note(TimelineNote::Kind kind, std::string_view text, std::int64_t count = 1);
};

/// Where importers and sessions put what they find. Tables may be filled at any time before the
/// sink is finished, but an event's name and process must be there before it.
class TimelineSink {
 public:
  TimelineSink() = default;
  TimelineSink(const TimelineSink&) = delete;
  TimelineSink& operator=(const TimelineSink&) = delete;
  TimelineSink(TimelineSink&&) = default;
  TimelineSink& operator=(TimelineSink&&) = default;
  virtual ~TimelineSink() = default;

  /// Throws InternalError for an event that event_fault() objects to.
  virtual void add(const TimelineEvent& event) = 0;
  /// Answers the index for TimelineEvent::collective.
  virtual std::int32_t add(const CollectiveDetail& collective) = 0;

  [[nodiscard]] NameId intern(std::string_view text) { return tables.names.intern(text); }

  TimelineTables tables;
};

/// A whole timeline in memory.
class EventTimeline final : public TimelineSink {
 public:
  void add(const TimelineEvent& event) override;
  std::int32_t add(const CollectiveDetail& collective) override;

  [[nodiscard]] const std::string& name(const TimelineEvent& event) const {
    return tables.names.text(event.name);
  }

  /// The detail of an event that has one, else nullptr.
  [[nodiscard]] const CollectiveDetail* collective(const TimelineEvent& event) const {
    return event.collective < 0 ? nullptr
                                : &collectives[static_cast<std::size_t>(event.collective)];
  }

  std::vector<TimelineEvent> events;  // in the order of the source
  std::vector<CollectiveDetail> collectives;
};

/// What is wrong with an event: a name, process or collective that does not exist, a negative
/// duration, an end beyond the range of 64 bits. Empty if nothing is.
std::string event_fault(const TimelineEvent& event,
                        const TimelineTables& tables,
                        std::size_t collectives);

/// The name under which an operation is stored, whatever the library calls it: "alltoallv",
/// "all_to_all", "AlltoAll" -> "all_to_all"; "_allgather_base" -> "all_gather". Others in lower
/// case as they are.
std::string collective_operation(std::string_view name);
/// Bytes of one element of a data type as NCCL, PyTorch or nccl-tests name it; 0 if unknown.
std::int32_t data_type_bytes(std::string_view name);

}  // namespace switchyard
