// The kernels that were compiled for the emulator, by the names that SWITCHYARD_KERNEL gave them.
#pragma once

#include <cstddef>
#include <string_view>

namespace switchyard {

struct EmulatedKernel {
  void (*body)(const void* arguments) = nullptr;  ///< one thread's way through the kernel
  std::size_t argument_bytes = 0;
  unsigned threads = 0;  ///< of a block
};

/// Throws SimtError for a name that no kernel has.
const EmulatedKernel& find_emulated_kernel(std::string_view name);

/// A static object of each kernel.
struct EnteredEmulatedKernel {
  EnteredEmulatedKernel(const char* name, const EmulatedKernel& kernel);
};

}  // namespace switchyard
