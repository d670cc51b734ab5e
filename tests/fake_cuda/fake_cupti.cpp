#include "tests/fake_cuda/fake_cupti.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <cupti.h>
#include <time.h>

namespace {

struct Buffer {
  std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  std::size_t used = 0;
};

int result_from_environment() {
  const char* text = std::getenv("FAKE_CUPTI_ENABLE_RESULT");
  return text == nullptr ? 0 : std::atoi(text);
}

struct State {
  std::mutex mutex;
  CUpti_BuffersCallbackRequestFunc request = nullptr;
  CUpti_BuffersCallbackCompleteFunc complete = nullptr;
  std::map<std::thread::id, Buffer> buffers;
  std::set<int> enabled;
  std::size_t dropped = 0;
  int enable_result = result_from_environment();
};

State& state() {
  static State& only = *new State;
  return only;
}

std::size_t record_bytes(CUpti_ActivityKind kind) {
  switch (kind) {
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
      return sizeof(CUpti_ActivityKernel10);
    case CUPTI_ACTIVITY_KIND_MEMCPY:
      return sizeof(CUpti_ActivityMemcpy6);
    case CUPTI_ACTIVITY_KIND_MARKER:
      return sizeof(CUpti_ActivityMarker2);
    case CUPTI_ACTIVITY_KIND_RUNTIME:
      return sizeof(CUpti_ActivityAPI);
    case CUPTI_ACTIVITY_KIND_DEVICE:
      return sizeof(CUpti_ActivityDevice5);
    default:
      return 0;
  }
}

}  // namespace

extern "C" {

void fake_cupti_write(const void* record, std::size_t bytes) {
  State& fake = state();
  Buffer full;
  CUpti_BuffersCallbackCompleteFunc complete = nullptr;
  {
    const std::lock_guard lock(fake.mutex);
    Buffer& buffer = fake.buffers[std::this_thread::get_id()];
    if (buffer.bytes != nullptr && buffer.used + bytes > buffer.size) {
      full = buffer;
      complete = fake.complete;
      buffer = {};
    }
    if (buffer.bytes == nullptr && fake.request != nullptr && !fake.enabled.empty()) {
      std::size_t most = 0;
      fake.request(&buffer.bytes, &buffer.size, &most);
    }
    if (buffer.bytes == nullptr || buffer.used + bytes > buffer.size) {
      ++fake.dropped;
    } else {
      std::memcpy(buffer.bytes + buffer.used, record, bytes);
      buffer.used += bytes;
    }
  }
  if (full.bytes != nullptr) {
    complete(nullptr, 0, full.bytes, full.size, full.used);
  }
}

void fake_cupti_set_enable_result(int result) {
  state().enable_result = result;
}

int fake_cupti_enabled_kinds() {
  return static_cast<int>(state().enabled.size());
}

CUptiResult cuptiGetVersion(std::uint32_t* version) {
  *version = CUPTI_API_VERSION;
  return CUPTI_SUCCESS;
}

CUptiResult cuptiGetResultString(CUptiResult result, const char** text) {
  *text = result == CUPTI_ERROR_INSUFFICIENT_PRIVILEGES ? "CUPTI_ERROR_INSUFFICIENT_PRIVILEGES"
                                                        : "CUPTI_ERROR_UNKNOWN";
  return CUPTI_SUCCESS;
}

CUptiResult cuptiGetTimestamp(std::uint64_t* stamp) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  *stamp = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
  return CUPTI_SUCCESS;
}

CUptiResult cuptiActivityRegisterCallbacks(CUpti_BuffersCallbackRequestFunc request,
                                           CUpti_BuffersCallbackCompleteFunc complete) {
  const std::lock_guard lock(state().mutex);
  state().request = request;
  state().complete = complete;
  return CUPTI_SUCCESS;
}

CUptiResult cuptiActivityEnable(CUpti_ActivityKind kind) {
  const std::lock_guard lock(state().mutex);
  if (state().enable_result == 0) {
    state().enabled.insert(kind);
  }
  return static_cast<CUptiResult>(state().enable_result);
}

CUptiResult cuptiActivityDisable(CUpti_ActivityKind kind) {
  const std::lock_guard lock(state().mutex);
  state().enabled.erase(kind);
  return CUPTI_SUCCESS;
}

CUptiResult cuptiActivityFlushAll(std::uint32_t /*flag*/) {
  std::map<std::thread::id, Buffer> buffers;
  {
    const std::lock_guard lock(state().mutex);
    buffers.swap(state().buffers);
  }
  for (const auto& [thread, buffer] : buffers) {
    if (buffer.bytes != nullptr) {
      state().complete(nullptr, 0, buffer.bytes, buffer.size, buffer.used);
    }
  }
  return CUPTI_SUCCESS;
}

CUptiResult cuptiActivityFlushPeriod(std::uint32_t /*milliseconds*/) {
  return CUPTI_SUCCESS;
}

CUptiResult cuptiActivityEnableDriverApi(CUpti_CallbackId /*function*/, std::uint8_t /*enable*/) {
  return CUPTI_SUCCESS;
}

CUptiResult cuptiActivityGetNextRecord(std::uint8_t* buffer,
                                       std::size_t valid_bytes,
                                       CUpti_Activity** record) {
  std::uint8_t* next = buffer;
  if (*record != nullptr) {
    next = reinterpret_cast<std::uint8_t*>(*record) + record_bytes((*record)->kind);
  }
  if (next >= buffer + valid_bytes) {
    return CUPTI_ERROR_MAX_LIMIT_REACHED;
  }
  *record = reinterpret_cast<CUpti_Activity*>(next);
  return record_bytes((*record)->kind) == 0 ? CUPTI_ERROR_INVALID_KIND : CUPTI_SUCCESS;
}

CUptiResult cuptiActivityGetNumDroppedRecords(CUcontext /*context*/,
                                              std::uint32_t /*stream*/,
                                              std::size_t* dropped) {
  const std::lock_guard lock(state().mutex);
  *dropped = state().dropped;
  state().dropped = 0;
  return CUPTI_SUCCESS;
}

CUptiResult cuptiGetCallbackName(CUpti_CallbackDomain /*domain*/,
                                 std::uint32_t /*function*/,
                                 const char** name) {
  *name = "cudaLaunchKernel_v7000";
  return CUPTI_SUCCESS;
}

}  // extern "C"
