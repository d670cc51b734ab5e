// The CPU router gives the kernel's bits: same logits, same trace, whichever executor made it.
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "kernels/router.hpp"
#include "tests/emulation/routers/top_k_runs.hpp"

namespace switchyard {
namespace {

TopKResult cpu_top_k(const TopKCase& test, const LogitBuffer& buffer) {
  const auto tokens = static_cast<std::size_t>(test.shape.tokens);
  const auto experts = static_cast<std::size_t>(test.shape.experts);
  Matrix<float> logits(tokens, experts);
  for (std::size_t at = 0; at < logits.values().size(); ++at) {
    logits.values()[at] = static_cast<float>(logit_at(buffer, test.shape.logit_type, at));
  }
  Parameters parameters(
      nlohmann::json{
          {"k", test.shape.slots}, {"renormalise", test.is_renormalised}, {"scale", test.scale}},
      {});
  const auto router = Registry<Router>::instance().create("top_k", "router", parameters);
  RouterInput input;
  input.logits = std::as_const(logits).view();
  const RoutingDecision decision = router->route(input);
  const auto ids = decision.expert_ids.values();
  const auto weights = decision.weights.values();
  return {.expert_ids = {ids.begin(), ids.end()}, .gate_weights = {weights.begin(), weights.end()}};
}

class CpuTopK : public testing::TestWithParam<TopKCase> {};

TEST_P(CpuTopK, GivesTheBitsOfTheKernel) {
  const LogitBuffer logits = make_logits(GetParam());
  expect_identical(
      emulated_top_k(GetParam(), logits), cpu_top_k(GetParam(), logits), "the CPU router");
}

INSTANTIATE_TEST_SUITE_P(AllCases, CpuTopK, testing::ValuesIn(top_k_cases()), [](const auto& test) {
  return test.param.name();
});

}  // namespace
}  // namespace switchyard
