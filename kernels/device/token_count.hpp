// Kernels count tokens in 32 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/error.hpp"

namespace switchyard {

/// Throws MissingCapability for more tokens than one launch takes.
inline std::int32_t device_token_count(std::size_t tokens) {
  constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max() - 1024;
  if (tokens > kMost) {
    throw MissingCapability("more than 2^31 tokens at once", {}, "route in smaller chunks");
  }
  return static_cast<std::int32_t>(tokens);
}

}  // namespace switchyard
