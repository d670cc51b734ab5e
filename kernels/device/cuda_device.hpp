// Whether this process can use a GPU, found out at run time: the CUDA runtime is linked statically
// and the driver is looked up by it, so a machine without a driver runs everything else. Plain C++:
// files without CUDA include this.
#pragma once

#include <cstdint>
#include <string>

namespace switchyard {

struct CudaDevice {
  bool is_usable = false;
  std::string
      description;  ///< "NVIDIA H100 80GB HBM3, sm_90, 132 multiprocessors", or why not usable
  std::int32_t multiprocessors = 0;
};

/// The first GPU; asked once a process.
const CudaDevice& cuda_device();

/// Throws MissingCapability, saying why, unless a GPU is usable.
void require_cuda_device();

}  // namespace switchyard
