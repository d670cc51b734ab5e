#include "tests/emulation/ptx/ptx_memory.hpp"

#include <algorithm>

namespace switchyard {
namespace {

bool lies_within(std::uint64_t address, unsigned bytes, std::uint64_t start, std::size_t size) {
  return address >= start && address - start <= size && size - (address - start) >= bytes;
}

}  // namespace

PtxMemory PtxMemoryMap::at(PtxSpace space, std::uint64_t address, unsigned bytes) const {
  if (space == PtxSpace::Generic) {
    const bool is_shared = lies_within(address, 1, shared_start(), spaces_.shared.size());
    space = is_shared ? PtxSpace::Shared : PtxSpace::Global;
    address -= is_shared ? shared_start() : 0;
  }
  if (address % bytes != 0) {
    throw PtxError("misaligned access");
  }
  PtxMemory memory{.space = space, .address = address};
  if (space == PtxSpace::Parameter) {
    if (!lies_within(address, bytes, 0, spaces_.arguments.size())) {
      throw PtxError("parameter access out of bounds");
    }
    memory.bytes = const_cast<std::byte*>(spaces_.arguments.data()) + address;
  } else if (space == PtxSpace::Shared) {
    if (!lies_within(address, bytes, 0, spaces_.shared.size())) {
      throw PtxError("shared access out of bounds");
    }
    memory.bytes = spaces_.shared.data() + address;
  } else {
    const auto holds_access = [&](const PtxBuffer& buffer) {
      return lies_within(
          address, bytes, reinterpret_cast<std::uint64_t>(buffer.address), buffer.bytes);
    };
    if (std::none_of(spaces_.buffers.begin(), spaces_.buffers.end(), holds_access)) {
      throw PtxError("global access out of bounds");
    }
    memory.bytes = reinterpret_cast<std::byte*>(address);
  }
  return memory;
}

}  // namespace switchyard
