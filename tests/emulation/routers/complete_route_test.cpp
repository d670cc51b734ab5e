// A complete routing by either launch plan is the CPU's: top-k, then dispatch layout.
#include <utility>

#include <gtest/gtest.h>

#include "kernels/device/complete_route_on_device.hpp"
#include "tests/emulation/devices/emulated_device.hpp"
#include "tests/emulation/devices/ptx_device.hpp"
#include "tests/emulation/ptx/compiled_kernels.hpp"
#include "tests/kernels/hard_tokens.hpp"

namespace switchyard {
namespace {

struct CompleteCase {
  std::size_t tokens = 0;
  std::size_t experts = 0;
  std::size_t slots = 1;
};

constexpr CompleteCase kCases[] = {
    {0, 16, 2}, {1, 64, 6}, {31, 60, 8}, {33, 256, 8}, {129, 64, 2}, {40, 100, 3}};

class CompleteInput {
 public:
  explicit CompleteInput(const CompleteCase& test)
      : test_(test), tokens_(test.tokens, test.experts, 8, test.tokens + 1) {
    for (std::size_t expert = 0; expert < test.experts; ++expert) {
      ranks_.push_back(static_cast<std::int32_t>(expert * 7 % 12));
    }
  }

  [[nodiscard]] CompleteRoute on_cpu() const {
    CompleteRoute route{
        .decision = make_router("top_k", {{"k", test_.slots}})->route(logits_only(tokens_.logits)),
        .layout = {}};
    LayoutRequest request = layout();
    request.expert_ids = std::as_const(route.decision.expert_ids).view();
    route.layout = dispatch_layout(request);
    return route;
  }

  [[nodiscard]] CompleteRoute on(KernelDevice& device, LaunchPlan plan) const {
    const DeviceStandIn stand_in(device);
    return complete_route_on_device(tokens_.logits.view(), {.slots = test_.slots}, layout(), plan);
  }

 private:
  [[nodiscard]] LayoutRequest layout() const {
    return {.expert_to_rank = ranks_, .ranks = 12, .ranks_per_node = 4, .capacity = 5};
  }

  CompleteCase test_;
  HardTokens tokens_;
  std::vector<std::int32_t> ranks_;
};

void expect_same(const CompleteRoute& expected, const CompleteRoute& got) {
  EXPECT_EQ(expected.decision, got.decision);
  EXPECT_EQ(expected.layout, got.layout);
}

TEST(CompleteRouteOnDevice, IsTheCpusByEitherPlanAndAnySchedule) {
  for (const CompleteCase& test : kCases) {
    SCOPED_TRACE(testing::Message() << test.tokens << " tokens, " << test.experts << " experts");
    const CompleteInput input(test);
    for (const LaunchPlan plan : {LaunchPlan::OneLaunch, LaunchPlan::ThreeLaunches}) {
      EmulatedDevice plain;
      EmulatedDevice shuffled({.schedule_seed = 9});
      expect_same(input.on_cpu(), input.on(plain, plan));
      expect_same(input.on_cpu(), input.on(shuffled, plan));
    }
  }
}

TEST(CompleteRouteOnDevice, IsTheCpusAsCompiledInOneLaunchOrThree) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  for (const CompiledKernels& compiled : compiled_kernels()) {
    for (const CompleteCase& test : kCases) {
      const CompleteInput input(test);
      PtxDevice one(compiled.module);
      expect_same(input.on_cpu(), input.on(one, LaunchPlan::OneLaunch));
      EXPECT_EQ(one.launches(), test.tokens == 0 ? 0U : 1U);
      PtxDevice three(compiled.module);
      expect_same(input.on_cpu(), input.on(three, LaunchPlan::ThreeLaunches));
      EXPECT_EQ(three.launches(), test.tokens == 0 ? 0U : 3U);
    }
  }
}

TEST(CompleteRouteOnDevice, TakesOneLaunchForFewTokens) {
  EmulatedDevice few;
  const CompleteRoute of_few = CompleteInput({64, 16, 2}).on(few, LaunchPlan::BySize);
  EXPECT_EQ(of_few.decision.expert_ids.rows(), 64U);
  EXPECT_EQ(few.launches(), 1U);
  EmulatedDevice many;
  const CompleteRoute of_many = CompleteInput({65, 16, 2}).on(many, LaunchPlan::BySize);
  EXPECT_EQ(of_many.decision.expert_ids.rows(), 65U);
  EXPECT_EQ(many.launches(), 3U);
}

}  // namespace
}  // namespace switchyard
