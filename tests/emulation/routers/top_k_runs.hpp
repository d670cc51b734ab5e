// The softmax top-k kernels on a device of any kind.
#pragma once

#include "kernels/device/device_array.hpp"
#include "tests/emulation/devices/emulated_device.hpp"
#include "tests/emulation/routers/top_k_cases.hpp"

namespace switchyard {

/// The memory of a case, ready to be launched any number of times.
class TopKOnDevice {
 public:
  TopKOnDevice(KernelDevice& device, const TopKCase& test, const LogitBuffer& logits);

  void launch();

  [[nodiscard]] TopKResult result() const;

 private:
  KernelDevice& device_;
  TopKCase test_;
  DeviceArray<std::uint32_t> rows_;
  DeviceArray<std::int32_t> ids_;
  DeviceArray<float> weights_;
};

TopKResult run_top_k(KernelDevice& device, const TopKCase& test, const LogitBuffer& logits);

TopKResult emulated_top_k(const TopKCase& test,
                          const LogitBuffer& logits,
                          const EmulationOptions& options = {});

}  // namespace switchyard
