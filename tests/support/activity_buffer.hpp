// CUPTI activity buffers made by hand, and records with plausible contents. Only for tests that are
// built with CUPTI's headers.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include <cupti.h>

namespace switchyard::testing {

class ActivityBuffer {
 public:
  template <class Record>
  ActivityBuffer& add(const Record& record) {
    static_assert(sizeof(Record) % sizeof(std::uint64_t) == 0);
    const std::size_t before = words_.size();
    words_.resize(before + sizeof(Record) / sizeof(std::uint64_t));
    std::memcpy(words_.data() + before, &record, sizeof(Record));
    return *this;
  }

  [[nodiscard]] std::uint8_t* data() { return reinterpret_cast<std::uint8_t*>(words_.data()); }

  [[nodiscard]] std::size_t bytes() const { return words_.size() * sizeof(std::uint64_t); }

 private:
  std::vector<std::uint64_t> words_;  // records are aligned to 8 bytes
};

inline CUpti_ActivityKernel10 kernel_record(const char* name,
                                            std::uint64_t start,
                                            std::uint64_t end) {
  CUpti_ActivityKernel10 record{};
  record.kind = CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL;
  record.name = name;
  record.start = start;
  record.end = end;
  record.deviceId = 3;
  record.contextId = 1;
  record.streamId = 17;
  record.correlationId = 42;
  record.gridX = 132;
  record.gridY = record.gridZ = 1;
  record.blockX = 256;
  record.blockY = 2;
  record.blockZ = 1;
  record.registersPerThread = 48;
  record.staticSharedMemory = 1024;
  record.dynamicSharedMemory = 2048;
  record.graphId = 5;
  record.graphNodeId = 77;
  return record;
}

inline CUpti_ActivityMarker2 marker_record(CUpti_ActivityFlag flag,
                                           std::uint32_t id,
                                           std::uint64_t time,
                                           const char* name,
                                           const char* domain = nullptr) {
  CUpti_ActivityMarker2 record{};
  record.kind = CUPTI_ACTIVITY_KIND_MARKER;
  record.flags = flag;
  record.id = id;
  record.timestamp = time;
  record.name = name;
  record.domain = domain;
  record.objectKind = CUPTI_ACTIVITY_OBJECT_THREAD;
  record.objectId.pt.processId = 100;
  record.objectId.pt.threadId = 101;
  return record;
}

}  // namespace switchyard::testing
