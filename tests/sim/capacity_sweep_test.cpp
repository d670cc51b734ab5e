// The sweep says of every factor what the policy `drop` does at that factor.
#include "sim/capacity_sweep.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/capacity_loss.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/small_traces.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;

const testing::RandomTraceShape kShape{
    .steps = 2, .layers = 2, .ranks = 3, .tokens = 37, .experts = 8, .top_k = 2};

// All tokens of a (step, layer) as the replay hands them to a policy.
LayerTokens tokens_of(const RoutingTrace& trace, const StepLayer& step_layer) {
  LayerTokens tokens{.experts = trace.expert_count(),
                     .ranks = trace.source_rank_count(),
                     .expert_ids = Matrix<std::int32_t>(0, 0)};
  std::vector<std::int32_t> ids;
  std::vector<float> weights;
  for (const std::size_t index : step_layer.chunks) {
    const Chunk& chunk = trace.chunks()[index];
    const TraceColumns rows = copy_rows(trace, chunk);
    ids.insert(ids.end(), rows.expert_ids.begin(), rows.expert_ids.end());
    weights.insert(weights.end(), rows.gate_weights.begin(), rows.gate_weights.end());
    tokens.source_rank.insert(tokens.source_rank.end(),
                              static_cast<std::size_t>(chunk.row_count),
                              static_cast<std::int32_t>(chunk.source_rank));
  }
  const std::size_t rows = tokens.source_rank.size();
  tokens.expert_ids = Matrix<std::int32_t>(rows, trace.top_k());
  tokens.gate_weights = Matrix<float>(rows, trace.top_k());
  std::copy(ids.begin(), ids.end(), tokens.expert_ids.values().begin());
  std::copy(weights.begin(), weights.end(), tokens.gate_weights.values().begin());
  return tokens;
}

void expect_as_drop(const char* order, const char* scope, const CapacitySweepOptions& options) {
  const RoutingTrace trace = testing::random_trace(kShape, 11);
  const RoutingData routing = testing::random_trace(kShape, 11);
  const RankAssignment ranks(std::get<RoutingTrace>(routing), RankRule::Recorded, 3);
  const CapacitySweep sweep = sweep_capacity(routing, &ranks, options);
  ASSERT_EQ(sweep.rows.size(), trace.step_layers().size());
  for (std::size_t i = 0; i < sweep.rows.size(); ++i) {
    for (std::size_t factor = 0; factor < options.factors.size(); ++factor) {
      Parameters parameters(json{{"factor", options.factors[factor]},
                                 {"order", order},
                                 {"scope", scope},
                                 {"group_tokens", options.group_tokens},
                                 {"minimum", 1}},
                            {"test", "#"});
      const auto policy =
          Registry<CapacityPolicy>::instance().create("drop", "capacity policy", parameters);
      LayerTokens tokens = tokens_of(trace, trace.step_layers()[i]);
      const Matrix<std::int32_t> wishes = tokens.expert_ids;
      const CapacityOutcome outcome = policy->apply(tokens);
      const CapacityLoss loss = capacity_loss(wishes, tokens);
      const CapacitySweepRow& row = sweep.rows[i];
      EXPECT_EQ(row.points[factor].kept, outcome.kept) << order << " " << scope;
      EXPECT_EQ(row.pairs, outcome.pairs);
      EXPECT_EQ(row.tokens, loss.tokens);
      EXPECT_EQ(row.points[factor].lost_tokens, loss.lost_tokens);
      EXPECT_NEAR(row.points[factor].dropped_gate_mass / row.gate_mass,
                  loss.dropped_gate_mass.value_or(0),
                  1e-9);
    }
  }
}

TEST(CapacitySweep, AgreesWithDropAtEveryFactor) {
  CapacitySweepOptions options{.factors = {0.25, 0.5, 1, 1.1, 1.5, 3}};
  for (const auto& [order_name, order] : {std::pair("token", SlotQueue::Order::Token),
                                          std::pair("choice", SlotQueue::Order::Choice)}) {
    for (const auto& [scope_name, scope] : {std::pair("rank", SlotQueue::Scope::Rank),
                                            std::pair("group", SlotQueue::Scope::Group),
                                            std::pair("global", SlotQueue::Scope::Global)}) {
      options.order = order;
      options.scope = scope;
      options.group_tokens = 10;
      expect_as_drop(order_name, scope_name, options);
    }
  }
}

TEST(CapacitySweep, CountsGiveWhatTheTokensGave) {
  const RoutingData routing = testing::random_trace(kShape, 5);
  const auto& trace = std::get<RoutingTrace>(routing);
  const RankAssignment ranks(trace, RankRule::Recorded, 3);
  CapacitySweepOptions options{.factors = {0.5, 1, 2}, .top_k = 2};
  const CapacitySweep exact = sweep_capacity(routing, &ranks, options);
  const RoutingData counts = count_selections(trace, /*by_rank=*/true);
  const CapacitySweep counted = sweep_capacity(counts, nullptr, options);
  ASSERT_EQ(counted.rows.size(), exact.rows.size());
  EXPECT_FALSE(counted.has_tokens);
  for (std::size_t i = 0; i < exact.rows.size(); ++i) {
    EXPECT_EQ(counted.rows[i].pairs, exact.rows[i].pairs);
    // Empty choices make the count of tokens, and with it the slots, a little smaller here.
    EXPECT_LE(counted.rows[i].points[1].kept, exact.rows[i].points[1].kept);
    EXPECT_NEAR(static_cast<double>(counted.rows[i].points[2].kept),
                static_cast<double>(exact.rows[i].points[2].kept),
                0.05 * static_cast<double>(exact.rows[i].pairs));
  }
}

TEST(CapacitySweep, TheNeededFactorIsEnoughAndNoMoreThanThat) {
  const RoutingData routing = testing::random_trace(kShape, 8);
  const auto& trace = std::get<RoutingTrace>(routing);
  const RankAssignment ranks(trace, RankRule::Recorded, 3);
  const CapacitySweep sweep =
      sweep_capacity(routing, &ranks, {.factors = {1}, .kept_goals = {0.9, 1}});
  for (std::size_t goal = 0; goal < 2; ++goal) {
    const double needed = sweep.rows[0].needed_factor[goal];
    const auto kept_at = [&](double factor) {
      return static_cast<double>(
          sweep_capacity(routing, &ranks, {.factors = {factor}}).rows[0].points[0].kept);
    };
    const double wanted = sweep.kept_goals[goal] * static_cast<double>(sweep.rows[0].pairs);
    EXPECT_GE(kept_at(needed), wanted - 1e-6);
    EXPECT_LT(kept_at(needed * 0.999), wanted);
  }
}

TEST(CapacitySweep, RefusesWhatItCannotFollow) {
  const RoutingData routing = testing::random_trace(kShape, 8);
  const RankAssignment ranks(std::get<RoutingTrace>(routing), RankRule::Recorded, 3);
  expect_error<MissingCapability>(
      [&] {
        (void)sweep_capacity(routing, &ranks, {.factors = {1}, .order = SlotQueue::Order::Weight});
      },
      "by token or by choice");
  expect_error<InvalidInput>(
      [&] {
        (void)sweep_capacity(routing, &ranks, {.factors = {2, 1}});
      },
      "above the one before");
  expect_error<InvalidInput>(
      [&] { (void)sweep_capacity(routing, &ranks, {.factors = {0.01}, .minimum = 0}); },
      "less than one token");
}

TEST(CapacitySweep, DoesNotDependOnTheNumberOfThreads) {
  const RoutingData routing = testing::random_trace(kShape, 3);
  const RankAssignment ranks(std::get<RoutingTrace>(routing), RankRule::Recorded, 3);
  const auto one = sweep_capacity(routing, &ranks, {.factors = {1, 2}}).total();
  const auto four = sweep_capacity(routing, &ranks, {.factors = {1, 2}, .threads = 4}).total();
  EXPECT_EQ(one.points[0].kept, four.points[0].kept);
  EXPECT_EQ(one.points[1].dropped_gate_mass, four.points[1].dropped_gate_mass);
}

}  // namespace
}  // namespace switchyard
