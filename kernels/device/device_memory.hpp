// Memory and time on the GPU behind plain C++, for the files that prepare kernel launches. Exists
// only in builds with nvcc (SWITCHYARD_HAS_CUDA).
#pragma once

#include <cstddef>
#include <memory>

#include "kernels/device/cuda_device.hpp"

namespace switchyard {

CudaDevice probe_cuda_device();

/// Owned memory of the current device. Throws MissingCapability when there is not enough.
class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t bytes);
  ~DeviceMemory();
  DeviceMemory(DeviceMemory&& other) noexcept;
  DeviceMemory& operator=(DeviceMemory&& other) noexcept;
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  [[nodiscard]] void* address() const { return address_; }

  /// Copies `bytes()` bytes in, or out after all work before.
  void upload(const void* from);
  void download(void* to) const;

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void* address_ = nullptr;
  std::size_t bytes_ = 0;
};

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
