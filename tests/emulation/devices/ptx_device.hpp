// A KernelDevice on which the PTX machine runs what nvcc made of the kernels, and counts.
#pragma once

#include <string>

#include "tests/emulation/devices/host_memory_device.hpp"
#include "tests/emulation/ptx/ptx_machine.hpp"

namespace switchyard {

class PtxDevice final : public HostMemoryDevice {
 public:
  /// `module` must outlive the device.
  explicit PtxDevice(const PtxModule& module, std::int32_t multiprocessors = 1)
      : HostMemoryDevice(multiprocessors), module_(module) {}

  using KernelDevice::launch;
  void launch(const KernelLaunch& launch) override;

  /// Of all launches so far.
  [[nodiscard]] const PtxCounters& counters() const { return counters_; }

 private:
  const PtxModule& module_;
  PtxCounters counters_;
};

}  // namespace switchyard
