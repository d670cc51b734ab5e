// The table of hard cases on real hardware: the emulator's bits, and times by CUDA events.
#include <array>
#include <cstdint>
#include <string>

#include <fmt/core.h>

#include "kernels/device/top_k_on_device.hpp"
#include "tests/emulation/routers/emulated_top_k.hpp"
#include "tests/gpu/gpu_test_support.hpp"
#if defined(SWITCHYARD_HAS_CUDA)
#include "kernels/device/device_memory.hpp"
#endif

namespace switchyard {
namespace {

#if defined(SWITCHYARD_HAS_CUDA)

/// A case in device memory, ready to be launched any number of times.
class DeviceTopK {
 public:
  DeviceTopK(const TopKCase& test, const LogitBuffer& logits)
      : test_(test),
        plan_(plan_top_k(test.shape, cuda_device().multiprocessors)),
        rows_(logits.words.size() * sizeof(std::uint32_t)),
        ids_(count() * sizeof(std::int32_t)),
        weights_(count() * sizeof(float)) {
    rows_.upload(logits.address());
  }

  void launch() const {
    launch_top_k(test_.shape,
                 plan_,
                 {.logits = rows_.address(),
                  .expert_ids = static_cast<std::int32_t*>(ids_.address()),
                  .gate_weights = static_cast<float*>(weights_.address()),
                  .tokens = test_.shape.tokens,
                  .experts = test_.shape.experts,
                  .slots = test_.shape.slots,
                  .tokens_per_warp = plan_.tokens_per_warp,
                  .scale = test_.scale,
                  .has_vector_rows = has_vector_rows(rows_.address(), test_.shape),
                  .is_renormalised = test_.is_renormalised});
  }

  [[nodiscard]] TopKResult result() const {
    TopKResult result{.expert_ids = std::vector<std::int32_t>(count()),
                      .gate_weights = std::vector<float>(count())};
    ids_.download(result.expert_ids.data());
    weights_.download(result.gate_weights.data());
    return result;
  }

 private:
  [[nodiscard]] std::size_t count() const {
    return static_cast<std::size_t>(test_.shape.tokens) *
           static_cast<std::size_t>(test_.shape.slots);
  }

  TopKCase test_;
  TopKPlan plan_;
  DeviceMemory rows_;
  DeviceMemory ids_;
  DeviceMemory weights_;
};

TopKResult gpu_top_k(const TopKCase& test, const LogitBuffer& logits) {
  const DeviceTopK device(test, logits);
  device.launch();
  return device.result();
}

double seconds_of_launch(const TopKCase& test, const LogitBuffer& logits) {
  constexpr int kRepetitions = 100;
  const DeviceTopK device(test, logits);
  device.launch();
  DeviceStopwatch stopwatch;
  stopwatch.start();
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    device.launch();
  }
  return stopwatch.stop() / kRepetitions;
}

#else

// Never called: every test skips itself first.
TopKResult gpu_top_k(const TopKCase& /*test*/, const LogitBuffer& /*logits*/) {
  return {};
}

double seconds_of_launch(const TopKCase& /*test*/, const LogitBuffer& /*logits*/) {
  return 0.0;
}

#endif

class GpuTopK : public testing::TestWithParam<TopKCase> {};

TEST_P(GpuTopK, GivesTheBitsOfTheEmulator) {
  SWITCHYARD_NEEDS_GPU();
  const LogitBuffer logits = make_logits(GetParam());
  expect_identical(
      emulated_top_k(GetParam(), logits), gpu_top_k(GetParam(), logits), cuda_device().description);
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
