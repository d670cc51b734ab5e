#include "profiler/cupti/cupti_library.hpp"

#include <dlfcn.h>

#include "core/error.hpp"
#include "profiler/cupti/cupti_presence.hpp"

namespace switchyard {
namespace {

std::string hint_for(CUptiResult result) {
  switch (result) {
    case CUPTI_ERROR_INSUFFICIENT_PRIVILEGES:
    case CUPTI_ERROR_VIRTUALIZED_DEVICE_INSUFFICIENT_PRIVILEGES:
      return permission_remedy();
    case CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED:
    case CUPTI_ERROR_NOT_COMPATIBLE:
      return "another profiler (nsys, ncu, a debugger) holds CUPTI in this process: leave it out";
    case CUPTI_ERROR_OUT_OF_MEMORY:
      return "CUPTI needs memory on the device: leave it some";
    case CUPTI_ERROR_UNKNOWN:
    case CUPTI_ERROR_NOT_INITIALIZED:
      return "CUPTI answers so where there is no NVIDIA driver, or one older than CUPTI: see "
             "switchyard doctor";
    default:
      return "see switchyard doctor";
  }
}

}  // namespace

CuptiLibrary::CuptiLibrary(const std::string& path) : path_(path) {
  if (path_.empty()) {
    const FoundLibrary found = find_cupti();
    if (!found.is_there()) {
      throw MissingCapability("profiling is not possible: " + found.reason, {}, found.hint);
    }
    path_ = found.path;
  }
  handle_ = dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr) {
    const char* reason = dlerror();
    throw MissingCapability(
        std::string("CUPTI does not load: ") + (reason == nullptr ? "unknown reason" : reason),
        {path_, ""},
        "install CUDA's CUPTI, or point SWITCHYARD_CUPTI_LIBRARY at it");
  }
  const auto load = [this]<class Function>(Function& function, const char* name) {
    function = reinterpret_cast<Function>(symbol(name));
    if (function == nullptr) {
      throw MissingCapability(std::string("this is no usable CUPTI: it has no ") + name,
                              {path_, ""},
                              "CUPTI 12 and 13 are known to work");
    }
  };
  load(functions_.get_version, "cuptiGetVersion");
  load(functions_.result_string, "cuptiGetResultString");
  load(functions_.timestamp, "cuptiGetTimestamp");
  load(functions_.register_callbacks, "cuptiActivityRegisterCallbacks");
  load(functions_.enable, "cuptiActivityEnable");
  load(functions_.disable, "cuptiActivityDisable");
  load(functions_.flush_all, "cuptiActivityFlushAll");
  load(functions_.next_record, "cuptiActivityGetNextRecord");
  load(functions_.dropped_records, "cuptiActivityGetNumDroppedRecords");
  load(functions_.callback_name, "cuptiGetCallbackName");
  require(functions_.get_version(&version_), "cuptiGetVersion");
}

void* CuptiLibrary::symbol(const char* name) const {
  return dlsym(handle_, name);
}

std::string CuptiLibrary::text(CUptiResult result) const {
  const char* name = nullptr;
  if (functions_.result_string(result, &name) != CUPTI_SUCCESS || name == nullptr) {
    return "CUPTI result " + std::to_string(static_cast<int>(result));
  }
  return name;
}

void CuptiLibrary::require(CUptiResult result, const std::string& call) const {
  if (result != CUPTI_SUCCESS) {
    throw MissingCapability(
        "profiling is not possible: " + call + " answers " + text(result), {}, hint_for(result));
  }
}

std::string profiling_build_reason() {
  return "";
}

}  // namespace switchyard
