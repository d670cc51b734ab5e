// The table of hard cases on real hardware: the emulator's bits, and times by CUDA events.
#include <array>
#include <cstdint>
#include <string>

#include <fmt/core.h>

#include "kernels/device/top_k_on_device.hpp"
#include "tests/emulation/routers/top_k_runs.hpp"
#include "tests/gpu/gpu_test_support.hpp"
#if defined(SWITCHYARD_HAS_CUDA)
#include "kernels/device/gpu_device.hpp"
#endif

namespace switchyard {
namespace {

#if defined(SWITCHYARD_HAS_CUDA)

double seconds_of_launch(const TopKCase& test, const LogitBuffer& logits) {
  constexpr int kRepetitions = 100;
  TopKOnDevice on_device(current_device(), test, logits);
  on_device.launch();
  DeviceStopwatch stopwatch;
  stopwatch.start();
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    on_device.launch();
  }
  return stopwatch.stop() / kRepetitions;
}

#else

// Never called: every test skips itself first.
double seconds_of_launch(const TopKCase& /*test*/, const LogitBuffer& /*logits*/) {
  return 0.0;
}

#endif

class GpuTopK : public testing::TestWithParam<TopKCase> {};

TEST_P(GpuTopK, GivesTheBitsOfTheEmulator) {
  SWITCHYARD_NEEDS_GPU();
  const LogitBuffer logits = make_logits(GetParam());
  expect_identical(emulated_top_k(GetParam(), logits),
                   run_top_k(current_device(), GetParam(), logits),
                   cuda_device().description);
}

INSTANTIATE_TEST_SUITE_P(AllCases, GpuTopK, testing::ValuesIn(top_k_cases()), [](const auto& test) {
  return test.param.name();
});

TEST(GpuTopKTimes, AreMeasuredByEventsOverTokenCounts) {
  SWITCHYARD_NEEDS_GPU();
  for (const LogitType type : {LogitType::Bfloat16, LogitType::Float32}) {
    for (const std::int32_t tokens : {1, 128, 4096, 65536}) {
      const TopKCase test{
          .shape = {.logit_type = type, .tokens = tokens, .experts = 256, .slots = 8},
          .has_hard_rows = false};
      const double seconds = seconds_of_launch(test, make_logits(test));
      EXPECT_GT(seconds, 0.0);
      fmt::print("{} on {}: {:.2f} us, {:.1f} million tokens/s\n",
                 test.name(),
                 cuda_device().description,
                 seconds * 1e6,
                 tokens / seconds * 1e-6);
    }
  }
}

TEST(TopKOnDevice, SaysWhyThereIsNoGpu) {
  if (cuda_device().is_usable) {
    GTEST_SKIP() << "this machine has a GPU: " << cuda_device().description;
  }
  EXPECT_FALSE(cuda_device().description.empty());
  const std::array<float, 4> logits{1.0F, 2.0F, 3.0F, 4.0F};
  EXPECT_THROW(top_k_on_device(MatrixView<const float>(logits.data(), 1, 4), {.slots = 2}),
               MissingCapability);
}

}  // namespace
}  // namespace switchyard
