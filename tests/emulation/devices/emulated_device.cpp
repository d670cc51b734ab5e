#include "tests/emulation/devices/emulated_device.hpp"

#include <string>

#include "tests/emulation/simt/emulated_kernels.hpp"
#include "tests/emulation/simt/simt_engine.hpp"

namespace switchyard {

void EmulatedDevice::launch(const KernelLaunch& launch) {
  const EmulatedKernel& kernel = find_emulated_kernel(launch.kernel);
  if (kernel.threads != launch.threads || kernel.argument_bytes != launch.argument_bytes) {
    throw SimtError(std::string(launch.kernel) + " is not a kernel of this shape");
  }
  count_launch();
  simt_launch(
      {.grid = {launch.blocks}, .block = {launch.threads}, .schedule_seed = options_.schedule_seed},
      [&] { kernel.body(launch.arguments); });
}

}  // namespace switchyard
