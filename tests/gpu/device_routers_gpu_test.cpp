// Every router with a CUDA form on real hardware: the CPU's bits, and the time of a whole call.
#include <algorithm>

#include <fmt/core.h>

#include "tests/emulation/routers/device_routers.hpp"
#include "tests/gpu/gpu_test_support.hpp"
#if defined(SWITCHYARD_HAS_CUDA)
#include "kernels/device/gpu_device.hpp"
#endif

namespace switchyard {
namespace {

class GpuRouter : public testing::TestWithParam<std::string> {};

TEST_P(GpuRouter, GivesTheCpusBits) {
  SWITCHYARD_NEEDS_GPU();
  for (const DeviceRouterCase& test : device_router_cases(GetParam(), false)) {
    expect_same_bits(route_case(test, "cpu"), route_case(test, "cuda"), test.name());
  }
}

TEST_P(GpuRouter, TakesATimeThatEventsMeasure) {
  SWITCHYARD_NEEDS_GPU();
#if defined(SWITCHYARD_HAS_CUDA)
  const auto router = make_router(GetParam(), {{"executor", "cuda"}});
  const HardTokens tokens(4096, 64, 64, 3);
  router->route(tokens.input(1, nullptr));
  DeviceStopwatch stopwatch;
  stopwatch.start();
  router->route(tokens.input(1, nullptr));
  const double seconds = stopwatch.stop();
  EXPECT_GT(seconds, 0.0);
  fmt::print("{} of 4096 tokens and 64 experts on {}: {:.1f} us with its copies\n",
             GetParam(),
             cuda_device().description,
             seconds * 1e6);
#endif
}

INSTANTIATE_TEST_SUITE_P(Registry,
                         GpuRouter,
                         testing::ValuesIn(device_routers()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace switchyard
