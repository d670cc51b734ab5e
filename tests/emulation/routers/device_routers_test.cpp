// Every router with a CUDA form, its host side and its kernels together, gives the CPU's bits: in
// the emulator under any schedule and plan, and as nvcc compiled it for each architecture.
#include "tests/emulation/routers/device_routers.hpp"

#include <gtest/gtest.h>

#include "tests/emulation/devices/emulated_device.hpp"
#include "tests/emulation/devices/ptx_device.hpp"
#include "tests/emulation/ptx/compiled_kernels.hpp"

namespace switchyard {
namespace {

class DeviceRouter : public testing::TestWithParam<std::string> {};

TEST_P(DeviceRouter, GivesTheCpusBitsInTheEmulatorUnderAnyScheduleAndPlan) {
  for (const DeviceRouterCase& test : device_router_cases(GetParam(), false)) {
    const auto expected = route_case(test, "cpu");
    const bool is_small = test.experts <= 64;  // three runs of the large ones show nothing new
    for (const EmulationOptions& options :
         {EmulationOptions{.schedule_seed = 11, .multiprocessors = 1},
          EmulationOptions{},
          EmulationOptions{.multiprocessors = 0}}) {
      EmulatedDevice device(options);
      const DeviceStandIn stand_in(device);
      expect_same_bits(expected, route_case(test, "cuda"), test.name());
      if (!is_small) {
        break;
      }
    }
  }
}

TEST_P(DeviceRouter, GivesTheCpusBitsAsCompiled) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  for (const DeviceRouterCase& test : device_router_cases(GetParam(), true)) {
    const auto expected = route_case(test, "cpu");
    for (const CompiledKernels& compiled : compiled_kernels()) {
      PtxDevice device(compiled.module);
      const DeviceStandIn stand_in(device);
      expect_same_bits(
          expected, route_case(test, "cuda"), test.name() + " for " + compiled.module.target);
    }
  }
}

TEST_P(DeviceRouter, SaysWhyThereIsNoGpu) {
  if (has_device()) {
    GTEST_SKIP() << "this machine has a GPU";
  }
  EXPECT_THROW(make_router(GetParam(), {{"executor", "cuda"}}), MissingCapability);
  EXPECT_NO_THROW(make_router(GetParam(), {{"executor", "auto"}}));
}

INSTANTIATE_TEST_SUITE_P(Registry,
                         DeviceRouter,
                         testing::ValuesIn(device_routers()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace switchyard
