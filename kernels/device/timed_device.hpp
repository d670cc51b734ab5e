// The first GPU with a stopwatch on its launches: what benchmarks and tests on hardware run a
// router's CUDA path on. Exists only in builds with nvcc (SWITCHYARD_HAS_CUDA).
#pragma once

#include "kernels/device/gpu_device.hpp"

namespace switchyard {

class TimedDevice final : public KernelDevice {
 public:
  [[nodiscard]] std::int32_t multiprocessors() const override { return gpu_.multiprocessors(); }

  void* allocate(std::size_t bytes) override { return gpu_.allocate(bytes); }

  void release(void* address) noexcept override { gpu_.release(address); }

  void upload(void* to, const void* from, std::size_t bytes) override {
    gpu_.upload(to, from, bytes);
  }

  void download(void* to, const void* from, std::size_t bytes) override {
    gpu_.download(to, from, bytes);
  }

  using KernelDevice::launch;

  /// Waits for the kernel.
  void launch(const KernelLaunch& launch) override {
    watch_.start();
    gpu_.launch(launch);
    seconds_ += watch_.stop();
    ++launches_;
  }

  /// Of all launches so far, by CUDA events around each: a launch's own cost, some microseconds, is
  /// in it.
  [[nodiscard]] double seconds() const { return seconds_; }

  [[nodiscard]] int launches() const { return launches_; }

 private:
  KernelDevice& gpu_ = gpu_device();
  DeviceStopwatch watch_;
  double seconds_ = 0;
  int launches_ = 0;
};

}  // namespace switchyard
