// The routers that look at hidden states give the bits of the CPU on real hardware; and what their
// kernels take there, by CUDA events around each launch.
#include <cmath>

#include <fmt/core.h>

#include "core/numbers/random.hpp"
#include "kernels/device/device.hpp"
#include "kernels/hidden/tensor_projection.hpp"
#include "tests/emulation/hidden/clustered_gate_cases.hpp"
#include "tests/emulation/hidden/pooled_gate_cases.hpp"
#include "tests/gpu/gpu_test_support.hpp"
#if defined(SWITCHYARD_HAS_CUDA)
#include "kernels/device/timed_device.hpp"
#endif

namespace switchyard {
namespace {

class GpuClusteredGate : public testing::TestWithParam<ClusteredCase> {};

TEST_P(GpuClusteredGate, GivesTheBitsOfTheCpu) {
  SWITCHYARD_NEEDS_GPU();
  const ClusteredTokens tokens(GetParam());
  EXPECT_TRUE(tokens.route("cpu") == tokens.route("cuda")) << cuda_device().description;
}

INSTANTIATE_TEST_SUITE_P(AllCases,
                         GpuClusteredGate,
                         testing::ValuesIn(clustered_cases()),
                         [](const auto& test) { return test.param.name(); });

class GpuPooledGate : public testing::TestWithParam<PooledCase> {};

TEST_P(GpuPooledGate, GivesTheBitsOfTheCpu) {
  SWITCHYARD_NEEDS_GPU();
  const Matrix<float> hidden = GetParam().hidden();
  EXPECT_TRUE(GetParam().route(hidden, "cpu") == GetParam().route(hidden, "cuda"))
      << cuda_device().description;
}

INSTANTIATE_TEST_SUITE_P(AllCases,
                         GpuPooledGate,
                         testing::ValuesIn(pooled_cases()),
                         [](const auto& test) { return test.param.name(); });

TEST(GpuTensorProjection, IsWithinRoundingOfTheCpu) {
  SWITCHYARD_NEEDS_GPU();
  constexpr std::size_t kWidth = 1000;
  Matrix<float> hidden(70, kWidth);
  Matrix<float> gate(40, kWidth);
  RandomStream(1, {}).fill_normal(hidden.values());
  RandomStream(2, {}).fill_normal(gate.values());
  Matrix<float> expected(70, 40);
  project_in_bfloat16(hidden.view(), gate.view(), expected.view());
  const Matrix<float> got = project_in_bfloat16_on_device(hidden.view(), gate.view());
  for (std::size_t at = 0; at < got.values().size(); ++at) {
    // The products are exact on both sides; 1000 float roundings of sums of size 32.
    EXPECT_NEAR(got.values()[at], expected.values()[at], 1e-3);
  }
}

#if defined(SWITCHYARD_HAS_CUDA)

double kernel_microseconds(const ClusteredTokens& tokens) {
  const RoutingDecision first = tokens.route("cuda");  // loads the kernels
  TimedDevice gpu;
  const DeviceStandIn stand_in(gpu);
  EXPECT_TRUE(tokens.route("cuda") == first);
  return gpu.seconds() * 1e6;
}

TEST(GpuClusteredGateTime, IsPrinted) {
  SWITCHYARD_NEEDS_GPU();
  const double plain = kernel_microseconds(ClusteredTokens({16384, 4096, 8, 2, "first"}));
  const double clustered = kernel_microseconds(ClusteredTokens({16384, 4096, 8, 2, "language"}));
  fmt::print("{}: 16384 tokens of 4096, 8 experts: plain gate {:.1f} us, with clusters {:.1f} us\n",
             cuda_device().description,
             plain,
             clustered);
  EXPECT_GT(clustered, plain);
}

#endif

}  // namespace
}  // namespace switchyard
