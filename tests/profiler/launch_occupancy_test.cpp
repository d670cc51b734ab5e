// Our rules against CUDA's own occupancy calculator, which is a header and needs no GPU.
#include "profiler/activities/launch_occupancy.hpp"

#include <cuda_occupancy.h>
#include <gtest/gtest.h>

namespace switchyard::testing {
namespace {

// Limits of compute capabilities, as the CUDA programming guide tables them.
DeviceFacts device(std::uint32_t major,
                   std::uint32_t minor,
                   std::uint32_t warps,
                   std::uint32_t blocks,
                   std::uint32_t shared_kib) {
  DeviceFacts facts;
  facts.capability_major = major;
  facts.capability_minor = minor;
  facts.warps_per_multiprocessor = warps;
  facts.blocks_per_multiprocessor = blocks;
  facts.shared_bytes_per_multiprocessor = shared_kib * 1024;
  facts.registers_per_multiprocessor = 65536;
  return facts;
}

int cuda_blocks(const ActivityRecord& kernel, const DeviceFacts& facts) {
  constexpr int kWarp = 32;
  cudaOccDeviceProp properties;
  properties.computeMajor = static_cast<int>(facts.capability_major);
  properties.computeMinor = static_cast<int>(facts.capability_minor);
  properties.maxThreadsPerBlock = 1024;
  properties.maxThreadsPerMultiprocessor = static_cast<int>(facts.warps_per_multiprocessor) * kWarp;
  properties.regsPerBlock = 65536;
  properties.regsPerMultiprocessor = 65536;
  properties.warpSize = kWarp;
  properties.reservedSharedMemPerBlock = facts.capability_major >= 8 ? 1024 : 0;
  properties.sharedMemPerBlock = 48 * 1024;
  properties.sharedMemPerMultiprocessor = facts.shared_bytes_per_multiprocessor;
  properties.sharedMemPerBlockOptin =
      facts.shared_bytes_per_multiprocessor - properties.reservedSharedMemPerBlock;
  properties.numSms = 1;
  cudaOccFuncAttributes attributes;
  attributes.maxThreadsPerBlock = 1024;
  attributes.numRegs = static_cast<int>(kernel.registers_per_thread);
  attributes.sharedSizeBytes = kernel.static_shared_bytes;
  attributes.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
  attributes.maxDynamicSharedSizeBytes = facts.shared_bytes_per_multiprocessor;
  cudaOccDeviceState state;
  state.carveoutConfig = 100;  // all of it as shared memory
  cudaOccResult result{};
  const cudaOccError error =
      cudaOccMaxActiveBlocksPerMultiprocessor(&result,
                                              &properties,
                                              &attributes,
                                              &state,
                                              static_cast<int>(kernel.block[0]),
                                              kernel.dynamic_shared_bytes);
  EXPECT_EQ(error, CUDA_OCC_SUCCESS);
  return result.activeBlocksPerMultiprocessor;
}

TEST(LaunchOccupancy, IsThatOfCudasCalculator) {
  int compared = 0;
  for (const DeviceFacts& facts : {device(8, 0, 64, 32, 164),
                                   device(9, 0, 64, 32, 228),
                                   device(10, 0, 64, 32, 228),
                                   device(12, 0, 48, 24, 100)}) {
    for (std::uint32_t threads = 32; threads <= 1024; threads += 32) {
      for (std::uint32_t registers = 16; registers <= 255; registers += 13) {
        for (const std::uint32_t shared : {0U, 1000U, 10000U, 40000U, 90000U}) {
          ActivityRecord kernel;
          kernel.block = {threads, 1, 1};
          kernel.registers_per_thread = registers;
          kernel.static_shared_bytes = 100;
          kernel.dynamic_shared_bytes = shared;
          const int expected = cuda_blocks(kernel, facts);
          if (expected == 0) {
            continue;  // such a launch fails, so no record tells of it
          }
          ASSERT_EQ(static_cast<int>(resident_blocks(kernel, facts)), expected)
              << "sm_" << facts.capability_major << facts.capability_minor << ", " << threads
              << " threads, " << registers << " registers, " << shared << " bytes";
          ++compared;
        }
      }
    }
  }
  EXPECT_GT(compared, 5000);
}

TEST(LaunchOccupancy, IsZeroWhereNothingIsKnown) {
  EXPECT_EQ(theoretical_occupancy({}, {}), 0.0);
  ActivityRecord kernel;
  kernel.block = {128, 1, 1};
  EXPECT_EQ(theoretical_occupancy(kernel, {}), 0.0);
  EXPECT_EQ(resident_blocks({}, device(9, 0, 64, 32, 228)), 0U);
}

TEST(LaunchOccupancy, IsAShareOfTheWarps) {
  ActivityRecord kernel;
  kernel.block = {256, 1, 1};
  kernel.registers_per_thread = 64;  // 8 warps of 64 registers: 4 blocks fill 65536 registers
  EXPECT_DOUBLE_EQ(theoretical_occupancy(kernel, device(9, 0, 64, 32, 228)), 0.5);
}

}  // namespace
}  // namespace switchyard::testing
