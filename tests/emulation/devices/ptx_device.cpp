#include "tests/emulation/devices/ptx_device.hpp"

namespace switchyard {

void PtxDevice::launch(const KernelLaunch& launch) {
  const PtxCounters counters =
      run_ptx(module_.kernel(std::string(launch.kernel)),
              {.shape = {.grid = {launch.blocks}, .block = {launch.threads}},
               .arguments = std::span(static_cast<const std::byte*>(launch.arguments),
                                      launch.argument_bytes),
               .buffers = buffers()});
  counters_.warp_instructions += counters.warp_instructions;
  counters_.load_sectors += counters.load_sectors;
  counters_.store_sectors += counters.store_sectors;
  counters_.shared_wavefronts += counters.shared_wavefronts;
  count_launch();
}

}  // namespace switchyard
