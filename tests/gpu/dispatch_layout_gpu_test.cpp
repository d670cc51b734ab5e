// The dispatch layout on real hardware gives the CPU's numbers.
#include "kernels/device/dispatch_layout_on_device.hpp"
#include "tests/emulation/routers/layout_runs.hpp"
#include "tests/gpu/gpu_test_support.hpp"

namespace switchyard {
namespace {

class GpuLayout : public testing::TestWithParam<LayoutCase> {};

TEST_P(GpuLayout, IsTheCpus) {
  SWITCHYARD_NEEDS_GPU();
  const LayoutInput input(GetParam());
  EXPECT_EQ(dispatch_layout_on_device(input.request()), dispatch_layout(input.request()));
}

INSTANTIATE_TEST_SUITE_P(AllCases,
                         GpuLayout,
                         testing::ValuesIn(layout_cases()),
                         [](const auto& test) { return test.param.name(); });

}  // namespace
}  // namespace switchyard
