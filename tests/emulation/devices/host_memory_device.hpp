// Device memory played by host memory: what the emulator and the PTX machine have in common.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "kernels/device/device.hpp"
#include "tests/emulation/ptx/device_image.hpp"

namespace switchyard {

class HostMemoryDevice : public KernelDevice {
 public:
  /// `multiprocessors` only changes launch plans; 0 gives those of a busy device.
  explicit HostMemoryDevice(std::int32_t multiprocessors) : multiprocessors_(multiprocessors) {}

  [[nodiscard]] std::int32_t multiprocessors() const override { return multiprocessors_; }

  /// Poisoned.
  void* allocate(std::size_t bytes) override;
  void release(void* address) noexcept override;
  void upload(void* to, const void* from, std::size_t bytes) override;
  void download(void* to, const void* from, std::size_t bytes) override;

  /// Kernels launched so far.
  [[nodiscard]] std::size_t launches() const { return launches_; }

 protected:
  void count_launch() { ++launches_; }

  /// All memory that is allocated now.
  [[nodiscard]] std::vector<PtxBuffer> buffers() const;

 private:
  std::int32_t multiprocessors_;
  std::size_t launches_ = 0;
  std::map<const void*, DeviceImage> images_;
};

}  // namespace switchyard
