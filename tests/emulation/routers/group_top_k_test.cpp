// Group-limited top-k: emulator, compiled PTX and CPU router give the same bits, and what they
// choose is right in float64.
#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "kernels/router.hpp"
#include "tests/emulation/devices/ptx_device.hpp"
#include "tests/emulation/ptx/compiled_kernels.hpp"
#include "tests/emulation/routers/group_top_k_runs.hpp"

namespace switchyard {
namespace {

constexpr double kMasked = -HUGE_VAL;

class GroupTopK : public testing::TestWithParam<GroupTopKCase> {};

TopKResult cpu_group_top_k(const GroupTopKCase& test, const LogitBuffer& buffer) {
  const TopKShape& shape = test.rows.shape;
  Matrix<float> logits(static_cast<std::size_t>(shape.tokens),
                       static_cast<std::size_t>(shape.experts));
  for (std::size_t at = 0; at < logits.values().size(); ++at) {
    logits.values()[at] = static_cast<float>(logit_at(buffer, shape.logit_type, at));
  }
  Parameters parameters(nlohmann::json{{"k", shape.slots},
                                       {"groups", test.groups},
                                       {"kept_groups", test.kept_groups},
                                       {"score", "sigmoid"},
                                       {"group_score", test.sums_best_two ? "best_two" : "best"},
                                       {"renormalise", test.rows.is_renormalised},
                                       {"scale", test.rows.scale},
                                       {"bias", make_bias(test)}},
                        {});
  const auto router =
      Registry<Router>::instance().create("group_limited_top_k", "router", parameters);
  RouterInput input;
  input.logits = std::as_const(logits).view();
  const RoutingDecision decision = router->route(input);
  const auto ids = decision.expert_ids.values();
  const auto weights = decision.weights.values();
  return {.expert_ids = {ids.begin(), ids.end()}, .gate_weights = {weights.begin(), weights.end()}};
}

/// Biased sigmoid scores of a token in float64; masked where the logit is not a number.
std::vector<double> biased_scores(const GroupTopKCase& test,
                                  const LogitBuffer& logits,
                                  std::size_t token) {
  const std::vector<float> bias = make_bias(test);
  std::vector<double> scores;
  for (std::size_t expert = 0; expert < bias.size(); ++expert) {
    const double logit = logit_at(logits, test.rows.shape.logit_type, token * bias.size() + expert);
    scores.push_back(logit > kMasked ? 1.0 / (1.0 + std::exp(-logit)) + double{bias[expert]}
                                     : kMasked);
  }
  return scores;
}

double group_score(const GroupTopKCase& test, std::vector<double> group) {
  std::sort(group.begin(), group.end(), std::greater<>());
  const bool has_second = group.size() > 1 && group[1] > kMasked;
  return test.sums_best_two && has_second ? group[0] + group[1] : group[0];
}

/// The k-th best biased score among the experts of the best groups.
double score_of_last_slot(const GroupTopKCase& test, const std::vector<double>& scores) {
  const auto groups = static_cast<std::ptrdiff_t>(test.groups);
  const auto width = static_cast<std::ptrdiff_t>(scores.size()) / groups;
  std::vector<std::pair<double, std::vector<double>>> ranked;
  for (std::ptrdiff_t group = 0; group < groups; ++group) {
    const std::vector<double> members(scores.begin() + group * width,
                                      scores.begin() + (group + 1) * width);
    ranked.emplace_back(group_score(test, members), members);
  }
  std::stable_sort(
      ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<double> allowed;
  for (std::int32_t group = 0; group < test.kept_groups; ++group) {
    const auto& members = ranked[static_cast<std::size_t>(group)].second;
    allowed.insert(allowed.end(), members.begin(), members.end());
  }
  std::sort(allowed.begin(), allowed.end(), std::greater<>());
  return allowed.at(static_cast<std::size_t>(test.rows.shape.slots) - 1);
}

TEST_P(GroupTopK, OfTheKernelIsTheCpusUnderAnyScheduleAndPlan) {
  const LogitBuffer logits = make_logits(GetParam().rows);
  const TopKResult expected = cpu_group_top_k(GetParam(), logits);
  expect_identical(expected, emulated_group_top_k(GetParam(), logits), "the emulator");
  expect_identical(
      expected, emulated_group_top_k(GetParam(), logits, {.schedule_seed = 3}), "a schedule");
  expect_identical(
      expected, emulated_group_top_k(GetParam(), logits, {.multiprocessors = 0}), "a plan");
}

TEST_P(GroupTopK, OfTheCompiledKernelIsTheCpus) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  const LogitBuffer logits = make_logits(GetParam().rows);
  const TopKResult expected = cpu_group_top_k(GetParam(), logits);
  for (const CompiledKernels& compiled : compiled_kernels()) {
    PtxDevice device(compiled.module);
    expect_identical(expected, run_group_top_k(device, GetParam(), logits), compiled.module.target);
  }
}

TEST_P(GroupTopK, ChoosesNoExpertThatFloat64WouldLeaveOut) {
  // Scores that differ by less than a few float ulps may change places, along with their groups.
  constexpr double kUndecided = 2e-6;
  GroupTopKCase test = GetParam();
  test.rows.has_hard_rows = false;
  const LogitBuffer logits = make_logits(test.rows);
  const TopKResult got = emulated_group_top_k(test, logits);
  const auto slots = static_cast<std::size_t>(test.rows.shape.slots);
  for (std::size_t token = 0; token < static_cast<std::size_t>(test.rows.shape.tokens); ++token) {
    const std::vector<double> scores = biased_scores(test, logits, token);
    double previous = HUGE_VAL;
    for (std::size_t slot = 0; slot < slots; ++slot) {
      const auto expert = static_cast<std::size_t>(got.expert_ids[token * slots + slot]);
      EXPECT_LE(scores.at(expert), previous + kUndecided) << "slots out of order";
      previous = scores[expert];
    }
    EXPECT_NEAR(previous, score_of_last_slot(test, scores), kUndecided) << "token " << token;
  }
}

INSTANTIATE_TEST_SUITE_P(AllCases,
                         GroupTopK,
                         testing::ValuesIn(group_top_k_cases()),
                         [](const auto& test) { return test.param.name(); });

}  // namespace
}  // namespace switchyard
