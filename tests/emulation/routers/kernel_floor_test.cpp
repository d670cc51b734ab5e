// The floors of profiler/kernel_floor.hpp against the counters of the PTX machine, which executes
// what nvcc compiled: where there is no GPU, this is what a prediction can be checked against.
#include "profiler/kernel_floor.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "tests/emulation/devices/ptx_device.hpp"
#include "tests/emulation/ptx/compiled_kernels.hpp"
#include "tests/emulation/routers/top_k_runs.hpp"
#include "tests/support/expect_error.hpp"

namespace switchyard {
namespace {

constexpr std::int32_t kFloorTokens = 256;
constexpr double kSectorBytes = 32;

TopKCase case_of(LogitType type, std::int32_t experts, std::int32_t slots, bool is_renormalised) {
  return {.shape = {.logit_type = type, .tokens = kFloorTokens, .experts = experts, .slots = slots},
          .is_renormalised = is_renormalised,
          .has_hard_rows = false};
}

TopKLaunch launch_of(const TopKCase& test) {
  return {.tokens = test.shape.tokens,
          .experts = test.shape.experts,
          .slots = test.shape.slots,
          .logit_bytes = test.shape.logit_type == LogitType::Float32 ? 4 : 2};
}

std::vector<TopKCase> listed_cases() {
  std::vector<TopKCase> cases;
  for (const LogitType type : {LogitType::Float32, LogitType::Bfloat16}) {
    for (const std::int32_t experts : {8, 64, 128, 160, 256, 512, 1024}) {
      for (const std::int32_t slots : {2, 6, 8, 10}) {
        for (const bool is_renormalised : {true, false}) {
          const TopKCase test = case_of(type, experts, slots, is_renormalised);
          if (warp_instructions_per_token(launch_of(test), is_renormalised)) {
            cases.push_back(test);
          }
        }
      }
    }
  }
  return cases;
}

TEST(KernelFloor, IsWhatTheCompiledKernelAsksForOrLess) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  const std::vector<TopKCase> cases = listed_cases();
  ASSERT_EQ(cases.size(), 13U);
  for (const TopKCase& test : cases) {
    const TopKLaunch launch = launch_of(test);
    const auto least = static_cast<double>(least_bytes(launch).count);
    const double listed = *warp_instructions_per_token(launch, test.is_renormalised);
    double dearest = 0;
    for (const CompiledKernels& compiled : compiled_kernels()) {
      PtxDevice device(compiled.module, 0);
      run_top_k(device, test, make_logits(test));
      const PtxCounters& counters = device.counters();
      const double bytes = kSectorBytes * static_cast<double>(counters.sectors());
      // Whole sectors only: at most a sector a row, and a fifth where rows do not fill warps.
      EXPECT_GE(bytes, least) << test.name() << " on " << compiled.module.target;
      EXPECT_LE(bytes, 1.2 * least) << test.name() << " on " << compiled.module.target;
      dearest = std::max(dearest, static_cast<double>(counters.warp_instructions) / kFloorTokens);
    }
    EXPECT_LE(dearest, listed) << test.name() << ": the table is too low";
    EXPECT_GE(dearest, 0.9 * listed) << test.name() << ": the table is too high";
  }
}

TEST(KernelFloor, IsBytesAndInstructionsOverTheDevicesRates) {
  // H100 SXM: 3.35 TB/s; 132 multiprocessors at 1.755 GHz issue 927 G warp instructions a second.
  DeviceFacts h100;
  h100.memory_bytes_per_second = 3'350'000'000'000;
  h100.multiprocessors = 132;
  h100.clock_hertz = 1'755'000'000;
  const TopKLaunch launch{.tokens = 4096, .experts = 256, .slots = 8};
  EXPECT_EQ(least_bytes(launch).count, 4096 * (1024 + 64));
  const KernelFloor floor = kernel_floor(launch, true, rates_of(h100));
  EXPECT_NEAR(floor.memory.count(), 4096 * 1088 / 3.35e12, 1e-12);
  EXPECT_NEAR(floor.issue.count(), 4096 * 390 / (132 * 4 * 1.755e9), 1e-12);
  EXPECT_EQ(floor.time(), std::max(floor.memory, floor.issue));
  TopKLaunch unlisted = launch;
  unlisted.experts = 250;
  EXPECT_EQ(kernel_floor(unlisted, true, rates_of(h100)).issue.count(), 0.0);
  testing::expect_error<InvalidInput>([&] { kernel_floor(launch, true, {}); },
                                      "rates are not known");
}

}  // namespace
}  // namespace switchyard
