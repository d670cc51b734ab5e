// The first GPU as a KernelDevice, and time on it. Exists only in builds with nvcc
// (SWITCHYARD_HAS_CUDA).
#pragma once

#include <memory>

#include "kernels/device/cuda_device.hpp"
#include "kernels/device/device.hpp"

namespace switchyard {

CudaDevice probe_cuda_device();

/// Uses the default stream of the current GPU. Needs a usable one.
KernelDevice& gpu_device();

/// Time between two points of the default stream, by CUDA events.
class DeviceStopwatch {
 public:
  DeviceStopwatch();
  ~DeviceStopwatch();
  DeviceStopwatch(const DeviceStopwatch&) = delete;
  DeviceStopwatch& operator=(const DeviceStopwatch&) = delete;
  DeviceStopwatch(DeviceStopwatch&&) = delete;
  DeviceStopwatch& operator=(DeviceStopwatch&&) = delete;

  void start();
  /// Waits for the work since start(); seconds.
  double stop();

 private:
  struct Events;
  std::unique_ptr<Events> events_;
};

}  // namespace switchyard
