// Every capacity policy, known or new: pairs = kept + dropped, and the edited choices agree.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "sim/capacity.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

LayerTokens random_tokens(std::uint64_t seed,
                          std::size_t rows,
                          std::size_t experts,
                          std::size_t ranks) {
  RandomStream random(seed, {1});
  constexpr std::size_t kTopK = 2;
  LayerTokens tokens{.experts = experts,
                     .ranks = ranks,
                     .expert_ids = Matrix<std::int32_t>(rows, kTopK),
                     .gate_weights = Matrix<float>(rows, kTopK),
                     .logits = Matrix<float>(rows, experts),
                     .source_rank = {},
                     .layer = 3,
                     .hidden = 64,
                     .zero_cost_experts = 2};
  for (std::size_t row = 0; row < rows; ++row) {
    // Squaring skews the choice towards low ids.
    const double u = random.uniform();
    const auto first = static_cast<std::int32_t>(u * u * static_cast<double>(experts));
    tokens.expert_ids(row, 0) = first;
    const bool has_second = random.index(4) != 0;
    tokens.expert_ids(row, 1) =
        has_second ? (first + 1) % static_cast<std::int32_t>(experts) : kNoExpert;
    tokens.gate_weights(row, 0) = static_cast<float>(random.uniform());
    tokens.gate_weights(row, 1) = static_cast<float>(random.uniform());
    for (float& logit : tokens.logits.row(row)) {  // cosines, which every policy accepts
      logit = static_cast<float>(2 * random.uniform() - 1);
    }
    tokens.source_rank.push_back(static_cast<std::int32_t>(row * ranks / rows));
  }
  return tokens;
}

std::int64_t choices(const LayerTokens& tokens) {
  std::int64_t count = 0;
  for (const std::int32_t expert : tokens.expert_ids.values()) {
    count += expert != kNoExpert ? 1 : 0;
  }
  return count;
}

class EveryCapacity : public ::testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] static std::unique_ptr<CapacityPolicy> make() {
    Parameters defaults(nlohmann::json::object(), {});
    return Registry<CapacityPolicy>::instance().create(GetParam(), "capacity policy", defaults);
  }
};

TEST_P(EveryCapacity, ConservesPairs) {
  const auto policy = make();
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    LayerTokens tokens = random_tokens(seed, 50 + seed, 8, 4);
    const std::int64_t before = choices(tokens);
    const CapacityOutcome outcome = policy->apply(tokens);
    EXPECT_EQ(outcome.pairs, before);
    EXPECT_EQ(outcome.pairs, outcome.kept + outcome.dropped);
    EXPECT_EQ(choices(tokens), outcome.kept);
    EXPECT_LE(outcome.rerouted, outcome.kept);
    EXPECT_GE(outcome.padded, 0);
  }
}

TEST_P(EveryCapacity, NeverGivesATokenOneExpertTwice) {
  const auto policy = make();
  LayerTokens tokens = random_tokens(7, 200, 4, 2);
  (void)policy->apply(tokens);
  for (std::size_t row = 0; row < tokens.expert_ids.rows(); ++row) {
    const std::int32_t first = tokens.expert_ids(row, 0);
    EXPECT_TRUE(first == kNoExpert || first != tokens.expert_ids(row, 1)) << "row " << row;
  }
}

TEST_P(EveryCapacity, DropsNothingWhenThereIsPlenty) {
  const auto known = Registry<CapacityPolicy>::instance().describe(GetParam(), "capacity policy");
  if (known.empty()) {
    GTEST_SKIP() << GetParam() << " has no limit to raise";
  }
  nlohmann::json most = {{"factor", 1000.0}};
  for (const ParameterDescription& parameter : known) {
    if (parameter.name == "share") {
      most["share"] = 1;
    }
  }
  Parameters plenty(most, {});
  const auto policy =
      Registry<CapacityPolicy>::instance().create(GetParam(), "capacity policy", plenty);
  LayerTokens tokens = random_tokens(3, 100, 8, 4);
  EXPECT_EQ(policy->apply(tokens).dropped, 0);
}

TEST_P(EveryCapacity, AcceptsALayerWithoutTokens) {
  LayerTokens tokens = random_tokens(3, 0, 8, 4);
  EXPECT_EQ(make()->apply(tokens).pairs, 0);
}

INSTANTIATE_TEST_SUITE_P(Capacities,
                         EveryCapacity,
                         ::testing::ValuesIn(Registry<CapacityPolicy>::instance().names()),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace switchyard
