// MoE++, SCMoE and Lory: emulator, compiled PTX and CPU router give the same bits, over three
// layers where one hands something to the next.
#include <limits>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "kernels/router.hpp"
#include "tests/emulation/hidden/every_device.hpp"

namespace switchyard {
namespace {

struct RouterCase {
  std::string router;
  std::size_t tokens = 0;
  std::size_t experts = 0;
  nlohmann::json values = nlohmann::json::object();

  [[nodiscard]] std::string name() const {
    return fmt::format("{}_t{}_e{}_k{}", router, tokens, experts, values.value("k", 0));
  }

  friend void PrintTo(const RouterCase& test, std::ostream* out) { *out << test.name(); }
};

std::vector<RouterCase> router_cases() {
  return {{"moe_plus_plus", 0, 16, {{"k", 2}}},
          {"moe_plus_plus", 1, 16, {{"k", 3}, {"residual", 0.25}}},
          {"moe_plus_plus", 31, 60, {{"k", 8}, {"zero", 6}, {"capacity_factor", 1.1}}},
          {"moe_plus_plus", 33, 64, {{"k", 1}, {"zero", 30}}},
          {"moe_plus_plus", 70, 100, {{"k", 4}, {"capacity_factor", 0.7}, {"tau", 0.25}}},
          {"moe_plus_plus", 32, 256, {{"k", 6}, {"residual", 1.0}}},
          {"moe_plus_plus", 19, 300, {{"k", 2}, {"capacity_factor", 2.0}}},
          {"moe_plus_plus", 9, 1024, {{"k", 32}, {"zero", 500}}},
          {"scmoe", 33, 64, {{"k", 2}, {"weak_rank", 2}}},
          {"scmoe", 31, 33, {{"k", 2}, {"weak_rank", 5}}},
          {"scmoe", 0, 16, {{"k", 1}}},
          {"lory", 130, 8, {{"k", 8}, {"segment_length", 32}}},
          {"lory", 65, 40, {{"k", 5}, {"segment_length", 65}}},
          {"lory", 0, 16, {{"k", 3}}}};
}

constexpr std::size_t kWidth = 48;

/// Logits and states; every eighth row has ties, NaN, infinities, -0 or nothing valid.
struct Rows {
  Matrix<float> logits;
  Matrix<float> hidden;
  Matrix<float> gate;
  std::vector<std::int64_t> sequences;

  explicit Rows(const RouterCase& test)
      : logits(test.tokens, test.experts), hidden(test.tokens, kWidth), gate(test.experts, kWidth) {
    RandomStream random(41, {test.tokens, test.experts});
    random.fill_normal(logits.values());
    random.fill_normal(hidden.values());
    random.fill_normal(gate.values());
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
    for (std::size_t token = 0; token < test.tokens; ++token) {
      sequences.push_back(static_cast<std::int64_t>(token / 50));
      for (std::size_t expert = 0; expert < test.experts; ++expert) {
        float& logit = logits(token, expert);
        const bool is_third = expert % 3 == 1;
        logit = token % 8 == 1   ? (is_third ? -0.0F : 0.0F)
                : token % 8 == 2 ? (is_third ? kNan : logit)
                : token % 8 == 3 ? (is_third ? kInfinity : -kInfinity)
                : token % 8 == 4 ? (is_third ? kNan : -kInfinity)
                : token % 8 == 5 ? 0.5F
                                 : logit;
      }
    }
  }
};

std::vector<RoutingDecision> route(const RouterCase& test,
                                   const Rows& rows,
                                   const std::string& executor) {
  nlohmann::json values = test.values;
  values["executor"] = executor;
  Parameters parameters(values, {});
  const auto router = Registry<Router>::instance().create(test.router, "router", parameters);
  std::vector<RoutingDecision> layers;
  for (std::int64_t layer = 0; layer < 3; ++layer) {
    layers.push_back(router->route({.logits = rows.logits.view(),
                                    .hidden = rows.hidden.view(),
                                    .gate = rows.gate.view(),
                                    .previous_layer = layer == 0 ? nullptr : &layers.back(),
                                    .sequence_ids = rows.sequences,
                                    .layer = layer}));
  }
  return layers;
}

class OtherRouter : public testing::TestWithParam<RouterCase> {};

TEST_P(OtherRouter, IsTheCpusUnderAnyScheduleAndPlan) {
  const Rows rows(GetParam());
  const auto expected = route(GetParam(), rows, "cpu");
  on_emulated_devices(
      [&] { return route(GetParam(), rows, "cuda"); },
      [&](const auto& got, const std::string& who) { EXPECT_TRUE(expected == got) << who; });
}

TEST_P(OtherRouter, IsTheCpusInCompiledKernels) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  const Rows rows(GetParam());
  const auto expected = route(GetParam(), rows, "cpu");
  on_compiled_devices(
      [&] { return route(GetParam(), rows, "cuda"); },
      [&](const auto& got, const std::string& who) { EXPECT_TRUE(expected == got) << who; });
}

INSTANTIATE_TEST_SUITE_P(AllCases,
                         OtherRouter,
                         testing::ValuesIn(router_cases()),
                         [](const auto& test) { return test.param.name(); });

}  // namespace
}  // namespace switchyard
