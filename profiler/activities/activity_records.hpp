// What a GPU did, one plain record an activity, as it comes out of CUPTI: no pointers, so that it
// can be kept, spooled to a file and read by another process. Times are CUPTI's nanoseconds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

namespace switchyard {

enum class ActivityKind : std::uint8_t {
  Kernel,
  Copy,        // memcpy on one device or to and from the host
  PeerCopy,    // memcpy between two devices
  Set,         // memset
  RangeStart,  // an NVTX range opens; `id` pairs it with its end
  RangeEnd,
  Mark,             // an NVTX mark: an instant
  Synchronisation,  // the host waits; `detail` says for what
  GraphLaunch,      // a whole CUDA graph as one activity
  HostCall,         // a CUDA runtime or driver function on the host
  Overhead,         // time that CUPTI or the driver took for itself
};

constexpr std::uint32_t kNoName = 0xffffffffU;

struct ActivityRecord {
  std::uint64_t start = 0;       // ns
  std::uint64_t end = 0;         // ns; equals start for instants
  std::uint64_t bytes = 0;       // of copies and sets
  std::uint64_t id = 0;          // range id; graph node of a kernel or copy
  std::uint32_t name = kNoName;  // index into ActivityLog::names
  std::uint32_t device = 0;
  std::uint32_t context = 0;
  std::uint32_t stream = 0;
  std::uint32_t correlation = 0;  // joins a host call and the activities it started
  std::uint32_t graph = 0;        // graph that the activity belongs to; 0 = none
  std::uint32_t process = 0;      // of ranges and host calls
  std::uint32_t thread = 0;       // of ranges and host calls
  std::uint32_t detail = 0;       // CUPTI's own code: copy kind, synchronisation type, function id
  std::uint32_t peer_device = 0;  // where a peer copy goes; `device` is where it comes from
  std::array<std::uint32_t, 3> grid{};
  std::array<std::uint32_t, 3> block{};
  std::uint32_t registers_per_thread = 0;
  std::uint32_t static_shared_bytes = 0;
  std::uint32_t dynamic_shared_bytes = 0;
  std::uint32_t domain = kNoName;  // NVTX domain, index into ActivityLog::names
  ActivityKind kind = ActivityKind::Kernel;
  std::array<std::uint8_t, 7> unused{};  // zero: records are written to files byte by byte
};

static_assert(std::is_trivially_copyable_v<ActivityRecord>);
static_assert(std::has_unique_object_representations_v<ActivityRecord>);

/// What CUPTI says of a device; rates are the peaks of its clocks.
struct DeviceFacts {
  std::uint64_t memory_bytes_per_second = 0;
  std::uint64_t clock_hertz = 0;
  std::uint64_t memory_bytes = 0;
  std::uint32_t id = 0;
  std::uint32_t multiprocessors = 0;
  std::uint32_t capability_major = 0;
  std::uint32_t capability_minor = 0;
  std::uint32_t warps_per_multiprocessor = 0;
  std::uint32_t blocks_per_multiprocessor = 0;
  std::uint32_t shared_bytes_per_multiprocessor = 0;
  std::uint32_t registers_per_multiprocessor = 0;
  std::uint32_t name = kNoName;  // index into ActivityLog::names
  std::uint32_t l2_bytes = 0;
};

static_assert(std::has_unique_object_representations_v<DeviceFacts>);

/// What one or many buffers held.
struct ActivityLog {
  std::vector<ActivityRecord> records;
  std::vector<std::string> names;
  std::vector<DeviceFacts> devices;
  /// Records of kinds that are not decoded: CUPTI's kind -> how many.
  std::map<std::uint32_t, std::uint64_t> unknown_kinds;
  std::uint64_t untimed = 0;    // activities without a time, left out (CUPTI ran out of memory)
  std::uint64_t dropped = 0;    // records that CUPTI could not store
  std::uint64_t malformed = 0;  // buffers that ended in something that is no record

  [[nodiscard]] const std::string& name_of(std::uint32_t index) const;
};

}  // namespace switchyard
