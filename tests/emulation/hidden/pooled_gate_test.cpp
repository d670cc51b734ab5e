// LocMoE and Expert-Token Resonance: emulator, compiled PTX and CPU router give the same bits, and
// what they choose is right in float64.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/numbers/random.hpp"
#include "kernels/hidden/resonance_launch.hpp"
#include "kernels/stages/grouped_pooling.hpp"
#include "tests/emulation/hidden/every_device.hpp"
#include "tests/emulation/hidden/pooled_gate_cases.hpp"

namespace switchyard {
namespace {

class PooledGate : public testing::TestWithParam<PooledCase> {};

TEST_P(PooledGate, IsTheCpusUnderAnyScheduleAndPlan) {
  const Matrix<float> hidden = GetParam().hidden();
  const RoutingDecision expected = GetParam().route(hidden, "cpu");
  on_emulated_devices([&] { return GetParam().route(hidden, "cuda"); },
                      [&](const RoutingDecision& got, const std::string& who) {
                        EXPECT_TRUE(expected == got) << who;
                      });
}

TEST_P(PooledGate, IsTheCpusInCompiledKernels) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  const Matrix<float> hidden = GetParam().hidden();
  const RoutingDecision expected = GetParam().route(hidden, "cpu");
  on_compiled_devices([&] { return GetParam().route(hidden, "cuda"); },
                      [&](const RoutingDecision& got, const std::string& who) {
                        EXPECT_TRUE(expected == got) << who;
                      });
}

INSTANTIATE_TEST_SUITE_P(AllCases,
                         PooledGate,
                         testing::ValuesIn(pooled_cases()),
                         [](const auto& test) { return test.param.name(); });

TEST(Pooling, IsWithinRoundingOfTheDefinition) {
  const PooledCase test{.tokens = 200, .width = 1000, .experts = 16};
  Matrix<float> hidden(test.tokens, test.width);
  RandomStream(22, {}).fill_normal(hidden.values());
  const Matrix<float> affinity = grouped_affinity(hidden.view(), test.experts);
  const Matrix<float> means = grouped_means(hidden.view(), test.experts);
  for (std::size_t token = 0; token < test.tokens; ++token) {
    double square = 0;
    for (const float value : hidden.row(token)) {
      square += double{value} * double{value};
    }
    for (std::size_t expert = 0; expert < test.experts; ++expert) {
      const std::size_t first = 1000 * expert / 16;
      const std::size_t last = 1000 * (expert + 1) / 16;
      double sum = 0;
      for (std::size_t at = first; at < last; ++at) {
        sum += double{hidden(token, at)};
      }
      const auto size = static_cast<double>(last - first);
      EXPECT_NEAR(affinity(token, expert), sum / std::sqrt(size * square), 2e-7);
      EXPECT_NEAR(means(token, expert), sum / size, 1e-6);
    }
  }
}

TEST(ResonanceRules, FixedAffinitiesAreTruncatedFloats) {
  EXPECT_EQ(fixed_affinity(1.0F), std::uint64_t{1} << 40);
  EXPECT_EQ(fixed_affinity(0x1.8p-3F), std::uint64_t{3} << 36);
  EXPECT_EQ(fixed_affinity(0x1p-40F), 1U);
  EXPECT_EQ(fixed_affinity(0x1.fffffep-41F), 0U);
  EXPECT_EQ(fixed_affinity(0x1.fffffep-20F), (std::uint64_t{0xFFFFFF} << 20) >> 23);
  EXPECT_EQ(fixed_affinity(0.0F), 0U);
  EXPECT_EQ(fixed_affinity(-1.0F), 0U);
  EXPECT_EQ(fixed_affinity(1e-45F), 0U);
  EXPECT_EQ(share_of_affinity(std::uint64_t{5} << 40, std::uint64_t{1} << 32),
            std::uint64_t{5} << 40);
  EXPECT_EQ(share_of_affinity(1000, std::uint64_t{1} << 31), 500U);
}

TEST(ResonanceRules, CountsOfTokensAreRoundedUpWithinTheTokens) {
  EXPECT_EQ(whole_tokens(0.0F, 10), 1);
  EXPECT_EQ(whole_tokens(2.0F, 10), 2);
  EXPECT_EQ(whole_tokens(2.25F, 10), 3);
  EXPECT_EQ(whole_tokens(9.5F, 10), 10);
  EXPECT_EQ(whole_tokens(std::numeric_limits<float>::infinity(), 10), 10);
  EXPECT_EQ(whole_tokens(std::numeric_limits<float>::quiet_NaN(), 10), 1);
}

TEST(ResonanceRules, TheLeastCapacityIsThePapersBound) {
  for (const float cosine : {0.0F, 0.01F, 0.02F, 0.03F, 0.04F, 0.05F, 0.06F}) {
    CapacityRule rule{.tokens = 1 << 20, .width = 4096, .experts = 8, .fair = 1000};
    const double bound = resonance_capacity_bound(8, 4096, double{cosine});
    EXPECT_NEAR(least_capacity(rule, cosine), std::ceil(std::max(1.0, 1000 * bound)), 1);
    rule.counts_tokens = true;
    EXPECT_NEAR(least_capacity(rule, cosine), std::ceil(std::max(1.0, bound)), 1);
  }
}

}  // namespace
}  // namespace switchyard
