// Expert choice: equal loads, and no token preferred to a better one.
#include <gtest/gtest.h>

#include "kernels/stages/expert_side.hpp"
#include "tests/kernels/router_fixture.hpp"

namespace switchyard {
namespace {

TEST(ExpertChoice, GivesEachExpertExactlyItsCapacity) {
  const Matrix<float> logits = normal_matrix(1000, 16, 1);
  const auto decision =
      make_router("expert_choice", {{"capacity", 2}, {"width", 16}})->route(logits_only(logits));
  std::vector<int> loads(16, 0);
  for (const std::int32_t id : decision.expert_ids.values()) {
    if (id != kNoExpert) {
      ++loads[static_cast<std::size_t>(id)];
    }
  }
  EXPECT_EQ(loads, std::vector<int>(16, 125));
}

TEST(ExpertChoice, PrefersTheLowerTokenAmongEquals) {
  const Matrix<float> logits(8, 4);  // all equal
  const auto decision =
      make_router("expert_choice", {{"capacity", 1}, {"width", 4}})->route(logits_only(logits));
  for (std::size_t token = 0; token < 8; ++token) {
    EXPECT_EQ(decision.expert_ids(token, 0), token < 2 ? 0 : kNoExpert);
  }
}

TEST(ExpertSide, KeepsTheBestExpertsOfATokenThatTooManyWant) {
  const Matrix<float> scores = matrix_of({{0.1F}, {0.5F}, {0.3F}});  // [experts, tokens]
  const std::vector<std::size_t> capacity(3, 1);
  const RoutingDecision decision = by_token(best_tokens(scores, capacity), scores, 2);
  EXPECT_EQ(decision.expert_ids, matrix_of<std::int32_t>({{1, 2}}));
  EXPECT_EQ(decision.weights, matrix_of<float>({{0.5F, 0.3F}}));
}

}  // namespace
}  // namespace switchyard
