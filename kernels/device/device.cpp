#include "kernels/device/device.hpp"

#include "core/error.hpp"
#include "kernels/device/cuda_device.hpp"
#if defined(SWITCHYARD_HAS_CUDA)
#include "kernels/device/gpu_device.hpp"
#endif

namespace switchyard {
namespace {

KernelDevice*& stand_in() {
  static KernelDevice* device = nullptr;
  return device;
}

}  // namespace

KernelDevice& current_device() {
  if (stand_in() != nullptr) {
    return *stand_in();
  }
  require_cuda_device();
#if defined(SWITCHYARD_HAS_CUDA)
  return gpu_device();
#else
  throw InternalError("a GPU is usable in a build without kernels");
#endif
}

bool has_device() {
  return stand_in() != nullptr || cuda_device().is_usable;
}

DeviceStandIn::DeviceStandIn(KernelDevice& device) : before_(stand_in()) {
  stand_in() = &device;
}

DeviceStandIn::~DeviceStandIn() {
  stand_in() = before_;
}

}  // namespace switchyard
