#include "profiler/activities/launch_occupancy.hpp"

#include <algorithm>

namespace switchyard {
namespace {

constexpr std::uint32_t kWarp = 32;
constexpr std::uint32_t kPartitions = 4;             // of a multiprocessor, each with its registers
constexpr std::uint32_t kRegisterGranularity = 256;  // registers are given to a warp in these steps
constexpr std::uint32_t kOldestCapability = 7;

std::uint32_t rounded_up(std::uint32_t value, std::uint32_t step) {
  return (value + step - 1) / step * step;
}

std::uint32_t warps_of(const ActivityRecord& kernel) {
  return rounded_up(kernel.block[0] * kernel.block[1] * kernel.block[2], kWarp) / kWarp;
}

std::uint32_t blocks_by_registers(const ActivityRecord& kernel, const DeviceFacts& device) {
  const std::uint32_t per_warp =
      rounded_up(kernel.registers_per_thread * kWarp, kRegisterGranularity);
  if (per_warp == 0) {
    return device.blocks_per_multiprocessor;
  }
  const std::uint32_t warps_per_partition =
      device.registers_per_multiprocessor / kPartitions / per_warp;
  return warps_per_partition * kPartitions / warps_of(kernel);
}

std::uint32_t blocks_by_shared_memory(const ActivityRecord& kernel, const DeviceFacts& device) {
  constexpr std::uint32_t kAmpere = 8;
  const bool is_recent = device.capability_major >= kAmpere;
  const std::uint32_t reserved = is_recent ? 1024 : 0;  // for the driver, in each block
  const std::uint32_t step = is_recent ? 128 : 256;
  const std::uint32_t per_block =
      rounded_up(kernel.static_shared_bytes + kernel.dynamic_shared_bytes + reserved, step);
  return per_block == 0 ? device.blocks_per_multiprocessor
                        : device.shared_bytes_per_multiprocessor / per_block;
}

}  // namespace

std::uint32_t resident_blocks(const ActivityRecord& kernel, const DeviceFacts& device) {
  const std::uint32_t warps = warps_of(kernel);
  if (warps == 0 || device.capability_major < kOldestCapability) {
    return 0;
  }
  return std::min({device.warps_per_multiprocessor / warps,
                   device.blocks_per_multiprocessor,
                   blocks_by_registers(kernel, device),
                   blocks_by_shared_memory(kernel, device)});
}

double theoretical_occupancy(const ActivityRecord& kernel, const DeviceFacts& device) {
  if (device.warps_per_multiprocessor == 0) {
    return 0;
  }
  return static_cast<double>(resident_blocks(kernel, device) * warps_of(kernel)) /
         device.warps_per_multiprocessor;
}

}  // namespace switchyard
