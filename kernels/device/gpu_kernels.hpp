// The compiled kernels by name. SWITCHYARD_KERNEL enters each of them when the library is loaded,
// so that host code needs no declaration of a kernel, and none at all in builds without nvcc.
#pragma once

#include <cstddef>
#include <string_view>

namespace switchyard {

struct GpuKernel {
  const void* function = nullptr;  ///< as cudaLaunchKernel takes it
  std::size_t argument_bytes = 0;
  unsigned threads = 0;  ///< of a block
};

/// nullptr if there is none of that name.
const GpuKernel* find_gpu_kernel(std::string_view name);

/// A static object of each kernel.
struct EnteredGpuKernel {
  EnteredGpuKernel(const char* name, const GpuKernel& kernel);
};

}  // namespace switchyard
