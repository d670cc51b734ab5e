// Assertions about our own promises: on in release builds, never reachable by user input.
#pragma once

#include <string>

#include "core/error.hpp"

namespace switchyard::detail {

[[noreturn]] inline void check_failed(const char* condition,
                                      const char* file,
                                      int line,
                                      const std::string& message) {
  throw InternalError(std::string(file) + ":" + std::to_string(line) + ": " + message + " (" +
                      condition + ")");
}

}  // namespace switchyard::detail

/// Throws InternalError with the condition's text, file and line when `condition` is false.
#define SWITCHYARD_CHECK(condition, message)                                         \
  do {                                                                               \
    if (!(condition)) {                                                              \
      ::switchyard::detail::check_failed(#condition, __FILE__, __LINE__, (message)); \
    }                                                                                \
  } while (false)
