// libcupti, opened at run time: the functions that we call, by name. Only files of this folder that
// speak to CUPTI include it.
#pragma once

#include <cstdint>
#include <string>

#include <cupti.h>

namespace switchyard {

/// Pointers into an open library.
struct CuptiFunctions {
  decltype(&cuptiGetVersion) get_version = nullptr;
  decltype(&cuptiGetResultString) result_string = nullptr;
  decltype(&cuptiGetTimestamp) timestamp = nullptr;
  decltype(&cuptiActivityRegisterCallbacks) register_callbacks = nullptr;
  decltype(&cuptiActivityEnable) enable = nullptr;
  decltype(&cuptiActivityDisable) disable = nullptr;
  decltype(&cuptiActivityFlushAll) flush_all = nullptr;
  decltype(&cuptiActivityGetNextRecord) next_record = nullptr;
  decltype(&cuptiActivityGetNumDroppedRecords) dropped_records = nullptr;
  decltype(&cuptiGetCallbackName) callback_name = nullptr;
};

class CuptiLibrary {
 public:
  /// `path`: a library to take instead of the search of find_cupti(). Throws MissingCapability.
  explicit CuptiLibrary(const std::string& path = "");

  [[nodiscard]] const CuptiFunctions& functions() const { return functions_; }

  [[nodiscard]] const std::string& path() const { return path_; }

  /// CUPTI's API version, such as 130001.
  [[nodiscard]] std::uint32_t version() const { return version_; }

  /// A function that only newer libraries have, or null.
  template <class Function>
  [[nodiscard]] Function optional(const char* name) const {
    return reinterpret_cast<Function>(symbol(name));
  }

  /// The result's name, such as "CUPTI_ERROR_INSUFFICIENT_PRIVILEGES".
  [[nodiscard]] std::string text(CUptiResult result) const;
  /// Throws MissingCapability with the reason and the remedy, unless `result` is success.
  void require(CUptiResult result, const std::string& call) const;

 private:
  [[nodiscard]] void* symbol(const char* name) const;

  std::string path_;
  // Never closed: CUPTI keeps threads and exit handlers of its own.
  void* handle_ = nullptr;
  CuptiFunctions functions_;
  std::uint32_t version_ = 0;
};

}  // namespace switchyard
