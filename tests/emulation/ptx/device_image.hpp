// A stand-in for device memory in host memory: aligned like cudaMalloc's, poisoned where not
// filled.
#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

#include "tests/emulation/ptx/ptx_memory.hpp"

namespace switchyard {

class DeviceImage {
 public:
  /// A copy of `bytes` at `source`, or poison if that is null.
  DeviceImage(const void* source, std::size_t bytes)
      : lines_((bytes + sizeof(Line) - 1) / sizeof(Line)), bytes_(bytes) {
    if (bytes > 0) {
      std::memset(lines_.data(), 0xA5, lines_.size() * sizeof(Line));
    }
    if (bytes > 0 && source != nullptr) {
      std::memcpy(lines_.data(), source, bytes);
    }
  }

  [[nodiscard]] void* address() { return lines_.data(); }

  [[nodiscard]] const void* address() const { return lines_.data(); }

  [[nodiscard]] PtxBuffer buffer() const { return {.address = lines_.data(), .bytes = bytes_}; }

  template <typename Value>
  [[nodiscard]] std::vector<Value> values() const {
    std::vector<Value> copy(bytes_ / sizeof(Value));
    std::memcpy(copy.data(), lines_.data(), copy.size() * sizeof(Value));
    return copy;
  }

 private:
  struct alignas(256) Line {
    std::byte bytes[256];
  };

  std::vector<Line> lines_;
  std::size_t bytes_;
};

}  // namespace switchyard
