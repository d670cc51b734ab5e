// A KernelDevice on which the SIMT emulator runs the kernel sources.
#pragma once

#include "tests/emulation/devices/host_memory_device.hpp"

namespace switchyard {

struct EmulationOptions {
  std::uint64_t schedule_seed = 0;   ///< 0: threads run in natural order
  std::int32_t multiprocessors = 1;  ///< changes launch plans only
};

class EmulatedDevice final : public HostMemoryDevice {
 public:
  explicit EmulatedDevice(const EmulationOptions& options = {})
      : HostMemoryDevice(options.multiprocessors), options_(options) {}

  using KernelDevice::launch;
  void launch(const KernelLaunch& launch) override;

 private:
  EmulationOptions options_;
};

}  // namespace switchyard
