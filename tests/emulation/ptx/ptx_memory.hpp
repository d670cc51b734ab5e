// Turns the addresses of a PTX program into host memory, or refuses them: every access must lie in
// a buffer of the launch, in the block's shared memory or in the parameters, and be aligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tests/emulation/ptx/ptx_module.hpp"

namespace switchyard {

/// Memory that a kernel may touch.
struct PtxBuffer {
  const void* address = nullptr;
  std::size_t bytes = 0;

  template <typename Value>
  static PtxBuffer of(const std::vector<Value>& values) {
    return {.address = values.data(), .bytes = values.size() * sizeof(Value)};
  }
};

struct PtxMemory {
  std::byte* bytes = nullptr;
  PtxSpace space = PtxSpace::Global;
  std::uint64_t address = 0;  ///< within its space
};

/// The memory one thread sees. Generic addresses are host addresses; shared ones count from the
/// start of the block's shared memory.
class PtxMemoryMap {
 public:
  struct Spaces {
    std::span<const std::byte> arguments;
    std::span<std::byte> shared;
    std::span<const PtxBuffer> buffers;
  };

  explicit PtxMemoryMap(const Spaces& spaces) : spaces_(spaces) {}

  /// Where an access of `bytes` goes; PtxError if it must not.
  [[nodiscard]] PtxMemory at(PtxSpace space, std::uint64_t address, unsigned bytes) const;

  [[nodiscard]] std::uint64_t shared_start() const {
    return reinterpret_cast<std::uint64_t>(spaces_.shared.data());
  }

 private:
  Spaces spaces_;
};

}  // namespace switchyard
