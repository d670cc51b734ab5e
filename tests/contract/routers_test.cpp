// What every registered router must keep, tested on the day it is added. Parameters are the
// defaults; logits hold ties, NaN, infinities and rows without any valid expert.
#include <cmath>
#include <set>

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <omp.h>

#include "tests/kernels/hard_tokens.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kHidden = 48;

/// Three layers in a row, so that routers with memory have one.
std::vector<RoutingDecision> route_layers(const Router& router, const HardTokens& tokens) {
  std::vector<RoutingDecision> layers;
  for (std::int64_t layer = 0; layer < 3; ++layer) {
    layers.push_back(router.route(tokens.input(layer, layer == 0 ? nullptr : &layers.back())));
  }
  return layers;
}

void expect_lawful(const RoutingDecision& decision,
                   const Router& router,
                   const HardTokens& tokens) {
  const std::size_t count = tokens.logits.rows();
  const auto experts = static_cast<std::int32_t>(tokens.logits.columns());
  ASSERT_EQ(decision.expert_ids.rows(), count);
  ASSERT_EQ(decision.expert_ids.columns(), router.top_k());
  ASSERT_EQ(decision.weights.rows(), count);
  ASSERT_EQ(decision.weights.columns(), router.top_k());
  ASSERT_TRUE(decision.alive.empty() || decision.alive.size() == count);
  ASSERT_EQ(decision.second_ids.rows(), router.has_second_pass() ? count : 0U);
  ASSERT_LE(decision.second_ids.columns(), router.top_k());
  ASSERT_EQ(decision.second_weights.values().size(), decision.second_ids.values().size());
  for (std::size_t at = 0; at < decision.second_ids.values().size(); ++at) {
    const std::int32_t id = decision.second_ids.values()[at];
    ASSERT_TRUE(id >= kNoExpert && id < experts) << id;
    ASSERT_EQ(decision.second_weights.values()[at] == 0.0F, id == kNoExpert);
  }
  for (std::size_t token = 0; token < count; ++token) {
    std::set<std::int32_t> seen;
    for (std::size_t slot = 0; slot < router.top_k(); ++slot) {
      const std::int32_t id = decision.expert_ids(token, slot);
      const float weight = decision.weights(token, slot);
      ASSERT_TRUE(std::isfinite(weight) && weight >= 0) << "token " << token << ": " << weight;
      if (id == kNoExpert) {
        ASSERT_EQ(weight, 0.0F) << "token " << token;
        continue;
      }
      ASSERT_TRUE(id >= 0 && id < experts) << "token " << token << ": " << id;
      ASSERT_TRUE(seen.insert(id).second) << "token " << token << " has expert " << id << " twice";
    }
  }
}

bool serves(const Router& router, std::size_t experts) {
  try {
    router.check_shape(experts, kHidden);
    return true;
  } catch (const InvalidInput&) {
    return false;  // a router may insist on equal groups of experts, say
  }
}

class EveryRouter : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryRouter, MakesLawfulDecisionsForAnySize) {
  std::size_t served = 0;
  for (const std::size_t experts : {16U, 33U, 64U, 257U}) {
    const auto router = make_router(GetParam());
    if (!serves(*router, experts)) {
      continue;
    }
    ++served;
    for (const std::size_t count : {0U, 1U, 31U, 32U, 33U, 700U}) {
      const HardTokens tokens(count, experts, kHidden, 5);
      for (const RoutingDecision& decision : route_layers(*router, tokens)) {
        SCOPED_TRACE(fmt::format("{} tokens, {} experts", count, experts));
        expect_lawful(decision, *router, tokens);
      }
    }
  }
  EXPECT_GE(served, 2U) << "the defaults should suit a model of 16 or 64 experts";
}

TEST_P(EveryRouter, AnswersTheSameAgain) {
  const HardTokens tokens(300, 64, kHidden, 6);
  EXPECT_EQ(route_layers(*make_router(GetParam()), tokens),
            route_layers(*make_router(GetParam()), tokens));
}

TEST_P(EveryRouter, DoesNotDependOnTheNumberOfThreads) {
  const HardTokens tokens(1500, 64, kHidden, 7);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const auto alone = route_layers(*make_router(GetParam()), tokens);
  omp_set_num_threads(3);
  const auto together = route_layers(*make_router(GetParam()), tokens);
  omp_set_num_threads(threads);
  EXPECT_EQ(alone, together);
}

TEST_P(EveryRouter, RefusesAModelWithFewerExpertsThanItKeeps) {
  const auto router = make_router(GetParam());
  EXPECT_THROW(router->check_shape(0, kHidden), InvalidInput);
}

TEST_P(EveryRouter, DescribesEachParameterInASentence) {
  for (const auto& parameter : Registry<Router>::instance().describe(GetParam(), "router")) {
    EXPECT_GE(parameter.sentence.size(), 10U) << parameter.name;
  }
}

TEST_P(EveryRouter, RefusesAnUnknownParameter) {
  EXPECT_THROW(make_router(GetParam(), {{"no_such_parameter", 1}}), InvalidInput);
}

INSTANTIATE_TEST_SUITE_P(Registry,
                         EveryRouter,
                         ::testing::ValuesIn(Registry<Router>::instance().names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace switchyard
