#include "kernels/device/cuda_device.hpp"

#include "core/error.hpp"
#if defined(SWITCHYARD_HAS_CUDA)
#include "kernels/device/gpu_device.hpp"
#endif

namespace switchyard {

const CudaDevice& cuda_device() {
#if defined(SWITCHYARD_HAS_CUDA)
  static const CudaDevice device = probe_cuda_device();
#else
  static const CudaDevice device{.description =
                                     "this build has no CUDA kernels (no nvcc was found)"};
#endif
  return device;
}

void require_cuda_device() {
  if (!cuda_device().is_usable) {
    throw MissingCapability(
        "no GPU is usable: " + cuda_device().description, {}, "choose the CPU executor");
  }
}

}  // namespace switchyard
