#include "profiler/cupti/activity_decoder.hpp"

#include <cstddef>
#include <cstring>

#include "profiler/cupti/cupti_library.hpp"

namespace switchyard {
namespace {

// The layouts of the headers we are built with; CUPTI only ever appends to a record, so that older
// libraries (12.x) write a prefix of them. Only fields of that prefix may be read, which
// activity_decoder_test holds against the headers' old layouts.
using KernelRecord = CUpti_ActivityKernel10;
using CopyRecord = CUpti_ActivityMemcpy6;
using PeerCopyRecord = CUpti_ActivityMemcpyPtoP4;
using SetRecord = CUpti_ActivityMemset4;
using MarkerRecord = CUpti_ActivityMarker2;
using SynchronisationRecord = CUpti_ActivitySynchronization2;
using GraphRecord = CUpti_ActivityGraphTrace2;
using CallRecord = CUpti_ActivityAPI;
using OverheadRecord = CUpti_ActivityOverhead3;
using DeviceRecord = CUpti_ActivityDevice5;

// Both zero: CUPTI had no memory left for the time stamps. No end: still running when flushed.
template <class Record>
bool has_times(const Record& record) {
  return record.start != 0 && record.end >= record.start;
}

template <class Record>
ActivityRecord device_activity(ActivityKind kind, const Record& from) {
  ActivityRecord record;
  record.kind = kind;
  record.start = from.start;
  record.end = from.end;
  record.device = from.deviceId;
  record.context = from.contextId;
  record.stream = from.streamId;
  record.correlation = from.correlationId;
  record.graph = from.graphId;
  return record;
}

std::uint32_t unsigned_or_zero(std::int32_t value) {
  return value > 0 ? static_cast<std::uint32_t>(value) : 0U;
}

ActivityRecord kernel_of(const KernelRecord& from) {
  ActivityRecord record = device_activity(ActivityKind::Kernel, from);
  record.id = from.graphNodeId;
  record.grid = {
      unsigned_or_zero(from.gridX), unsigned_or_zero(from.gridY), unsigned_or_zero(from.gridZ)};
  record.block = {
      unsigned_or_zero(from.blockX), unsigned_or_zero(from.blockY), unsigned_or_zero(from.blockZ)};
  record.registers_per_thread = from.registersPerThread;
  record.static_shared_bytes = unsigned_or_zero(from.staticSharedMemory);
  record.dynamic_shared_bytes = unsigned_or_zero(from.dynamicSharedMemory);
  return record;
}

ActivityRecord copy_of(const CopyRecord& from) {
  ActivityRecord record = device_activity(ActivityKind::Copy, from);
  record.bytes = from.bytes;
  record.id = from.graphNodeId;
  record.detail = from.copyKind;
  return record;
}

ActivityRecord peer_copy_of(const PeerCopyRecord& from) {
  ActivityRecord record = device_activity(ActivityKind::PeerCopy, from);
  record.bytes = from.bytes;
  record.id = from.graphNodeId;
  record.detail = from.copyKind;
  record.device = from.srcDeviceId;
  record.peer_device = from.dstDeviceId;
  return record;
}

ActivityRecord set_of(const SetRecord& from) {
  ActivityRecord record = device_activity(ActivityKind::Set, from);
  record.bytes = from.bytes;
  record.id = from.graphNodeId;
  return record;
}

ActivityRecord graph_of(const GraphRecord& from) {
  return device_activity(ActivityKind::GraphLaunch, from);
}

ActivityRecord synchronisation_of(const SynchronisationRecord& from) {
  ActivityRecord record;
  record.kind = ActivityKind::Synchronisation;
  record.start = from.start;
  record.end = from.end;
  record.context = from.contextId;
  record.stream = from.streamId;
  record.correlation = from.correlationId;
  record.detail = static_cast<std::uint32_t>(from.type);
  return record;
}

ActivityRecord call_of(const CallRecord& from) {
  ActivityRecord record;
  record.kind = ActivityKind::HostCall;
  record.start = from.start;
  record.end = from.end;
  record.correlation = from.correlationId;
  record.process = from.processId;
  record.thread = from.threadId;
  record.detail = from.cbid;
  return record;
}

ActivityRecord overhead_of(const OverheadRecord& from) {
  ActivityRecord record;
  record.kind = ActivityKind::Overhead;
  record.start = from.start;
  record.end = from.end;
  record.detail = static_cast<std::uint32_t>(from.overheadKind);
  if (from.objectKind == CUPTI_ACTIVITY_OBJECT_THREAD) {
    record.process = from.objectId.pt.processId;
    record.thread = from.objectId.pt.threadId;
  }
  return record;
}

ActivityRecord marker_of(const MarkerRecord& from) {
  ActivityRecord record;
  record.kind = (from.flags & CUPTI_ACTIVITY_FLAG_MARKER_START) != 0 ? ActivityKind::RangeStart
                : (from.flags & CUPTI_ACTIVITY_FLAG_MARKER_END) != 0 ? ActivityKind::RangeEnd
                                                                     : ActivityKind::Mark;
  record.start = from.timestamp;
  record.end = from.timestamp;
  record.id = from.id;
  if (from.objectKind == CUPTI_ACTIVITY_OBJECT_THREAD) {
    record.process = from.objectId.pt.processId;
    record.thread = from.objectId.pt.threadId;
  }
  return record;
}

DeviceFacts device_of(const DeviceRecord& from) {
  constexpr std::uint64_t kKilo = 1000;
  DeviceFacts facts;
  facts.memory_bytes_per_second = from.globalMemoryBandwidth * kKilo;  // recorded in kB/s
  facts.clock_hertz = from.coreClockRate * kKilo;                      // recorded in kHz
  facts.memory_bytes = from.globalMemorySize;
  facts.id = from.id;
  facts.l2_bytes = from.l2CacheSize;
  facts.multiprocessors = from.numMultiprocessors;
  facts.capability_major = from.computeCapabilityMajor;
  facts.capability_minor = from.computeCapabilityMinor;
  facts.warps_per_multiprocessor = from.maxWarpsPerMultiprocessor;
  facts.blocks_per_multiprocessor = from.maxBlocksPerMultiprocessor;
  facts.shared_bytes_per_multiprocessor = from.maxSharedMemoryPerMultiprocessor;
  facts.registers_per_multiprocessor = from.maxRegistersPerMultiprocessor;
  return facts;
}

// One buffer's records into a log.
class RecordReader {
 public:
  RecordReader(ActivityDecoder& decoder, ActivityLog& log) : decoder_(decoder), log_(log) {}

  void read(const CUpti_Activity& record) {
    switch (record.kind) {
      case CUPTI_ACTIVITY_KIND_KERNEL:
      case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
        keep_named(as<KernelRecord>(record), kernel_of);
        break;
      case CUPTI_ACTIVITY_KIND_MEMCPY:
        keep(as<CopyRecord>(record), copy_of);
        break;
      case CUPTI_ACTIVITY_KIND_MEMCPY2:
        keep(as<PeerCopyRecord>(record), peer_copy_of);
        break;
      case CUPTI_ACTIVITY_KIND_MEMSET:
        keep(as<SetRecord>(record), set_of);
        break;
      case CUPTI_ACTIVITY_KIND_GRAPH_TRACE:
        keep(as<GraphRecord>(record), graph_of);
        break;
      case CUPTI_ACTIVITY_KIND_SYNCHRONIZATION:
        keep(as<SynchronisationRecord>(record), synchronisation_of);
        break;
      case CUPTI_ACTIVITY_KIND_OVERHEAD:
        keep(as<OverheadRecord>(record), overhead_of);
        break;
      case CUPTI_ACTIVITY_KIND_RUNTIME:
      case CUPTI_ACTIVITY_KIND_DRIVER:
        read_call(as<CallRecord>(record));
        break;
      case CUPTI_ACTIVITY_KIND_MARKER:
        read_marker(as<MarkerRecord>(record));
        break;
      case CUPTI_ACTIVITY_KIND_DEVICE:
        read_device(as<DeviceRecord>(record));
        break;
      default:
        ++log_.unknown_kinds[static_cast<std::uint32_t>(record.kind)];
    }
  }

 private:
  template <class Record>
  static const Record& as(const CUpti_Activity& record) {
    return reinterpret_cast<const Record&>(record);
  }

  template <class Record>
  bool keep(const Record& from, ActivityRecord (*convert)(const Record&)) {
    if (!has_times(from)) {
      ++log_.untimed;
      return false;
    }
    log_.records.push_back(convert(from));
    return true;
  }

  template <class Record>
  void keep_named(const Record& from, ActivityRecord (*convert)(const Record&)) {
    if (keep(from, convert)) {
      log_.records.back().name = decoder_.intern(from.name, log_);
    }
  }

  void read_call(const CallRecord& from) {
    if (keep(from, call_of)) {
      log_.records.back().name =
          decoder_.function_name(from.kind == CUPTI_ACTIVITY_KIND_DRIVER, from.cbid, log_);
    }
  }

  void read_marker(const MarkerRecord& from) {
    if (from.timestamp == 0) {
      ++log_.untimed;
      return;
    }
    ActivityRecord record = marker_of(from);
    record.name = decoder_.intern(from.name, log_);
    record.domain = decoder_.intern(from.domain, log_);
    log_.records.push_back(record);
  }

  void read_device(const DeviceRecord& from) {
    DeviceFacts facts = device_of(from);
    facts.name = decoder_.intern(from.name, log_);
    log_.devices.push_back(facts);
  }

  ActivityDecoder& decoder_;
  ActivityLog& log_;
};

}  // namespace

void ActivityDecoder::decode(std::uint8_t* buffer, std::size_t valid_bytes, ActivityLog& log) {
  RecordReader reader(*this, log);
  const auto next_record = library_->functions().next_record;
  CUpti_Activity* record = nullptr;
  CUptiResult result = next_record(buffer, valid_bytes, &record);
  while (result == CUPTI_SUCCESS) {
    reader.read(*record);
    result = next_record(buffer, valid_bytes, &record);
  }
  if (result != CUPTI_ERROR_MAX_LIMIT_REACHED) {
    ++log.malformed;
  }
}

std::uint32_t ActivityDecoder::intern(const char* text, ActivityLog& log) {
  if (text == nullptr) {
    return kNoName;
  }
  const auto known = by_address_.find(text);
  if (known != by_address_.end() && std::strcmp(log.names[known->second].c_str(), text) == 0) {
    return known->second;
  }
  const auto next = static_cast<std::uint32_t>(log.names.size());
  const auto [entry, is_new] = by_text_.emplace(text, next);
  if (is_new) {
    log.names.push_back(entry->first);
  }
  by_address_[text] = entry->second;
  return entry->second;
}

std::uint32_t ActivityDecoder::function_name(bool is_driver,
                                             std::uint32_t function,
                                             ActivityLog& log) {
  constexpr unsigned kDriverBit = 32;
  const std::uint64_t key = function | (static_cast<std::uint64_t>(is_driver) << kDriverBit);
  const auto known = by_function_.find(key);
  if (known != by_function_.end()) {
    return known->second;
  }
  const char* name = nullptr;
  const CUpti_CallbackDomain domain =
      is_driver ? CUPTI_CB_DOMAIN_DRIVER_API : CUPTI_CB_DOMAIN_RUNTIME_API;
  const CUptiResult result = library_->functions().callback_name(domain, function, &name);
  const std::string fallback =
      (is_driver ? "driver function " : "runtime function ") + std::to_string(function);
  const std::uint32_t index =
      intern(result == CUPTI_SUCCESS && name != nullptr ? name : fallback.c_str(), log);
  by_function_.emplace(key, index);
  return index;
}

}  // namespace switchyard
