// CUPTI's activity buffers to plain records. It calls nothing of CUDA and keeps no pointer into a
// buffer, so that tests can feed it buffers made by hand on machines without a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "profiler/activities/activity_records.hpp"

namespace switchyard {

class CuptiLibrary;

class ActivityDecoder {
 public:
  /// `library` must outlive the decoder.
  explicit ActivityDecoder(const CuptiLibrary& library) : library_(&library) {}

  /// Appends the records of one buffer to `log`, always the same log: names are indices into it.
  /// Kinds that are not known are counted; a buffer that ends in something that is no record is
  /// counted as malformed, and what came before it is kept.
  void decode(std::uint8_t* buffer, std::size_t valid_bytes, ActivityLog& log);

  /// The index of a text that CUPTI points at; null is kNoName.
  std::uint32_t intern(const char* text, ActivityLog& log);
  /// The index of the name of a runtime or driver function.
  std::uint32_t function_name(bool is_driver, std::uint32_t function, ActivityLog& log);

 private:
  const CuptiLibrary* library_;
  // Names come as pointers that are nearly always the same few; the text is compared before the
  // pointer is believed, since the memory of an unloaded module may be used again.
  std::unordered_map<const char*, std::uint32_t> by_address_;
  std::unordered_map<std::string, std::uint32_t> by_text_;
  std::unordered_map<std::uint64_t, std::uint32_t> by_function_;
};

}  // namespace switchyard
