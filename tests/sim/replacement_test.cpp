// Placements over time: what a rule may see, what moving costs, when it pays.
#include <gtest/gtest.h>

#include "sim/replay/migration.hpp"
#include "sim/replay/simulation.hpp"
#include "tests/support/expect_error.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;

// Top-1 of 4 experts on 2 ranks. In every step two neighbours are hot: 0 and 1 in the first half of
// the steps, 2 and 3 in the second; contiguous placement puts each hot pair on one rank.
std::shared_ptr<const RoutingData> drifting(std::int64_t steps) {
  TraceColumns columns;
  std::int64_t row = 0;
  for (std::int64_t step = 0; step < steps; ++step) {
    const std::int32_t hot = step < steps / 2 ? 0 : 2;
    for (std::int64_t rank = 0; rank < 2; ++rank) {
      columns.chunks.push_back({step, 0, rank, row, 40});
      row += 40;
      for (std::int32_t token = 0; token < 40; ++token) {
        columns.expert_ids.push_back(token < 36 ? hot + token % 2 : (hot + 2 + token % 2) % 4);
      }
    }
  }
  TraceMetadata metadata;
  metadata.model = {.hidden = 1024, .experts = 4, .top_k = 1, .layers = 1, .dtype = "bf16"};
  return std::make_shared<const RoutingData>(
      RoutingTrace::from_columns(metadata, std::move(columns), {"drift", ""}));
}

Scenario replacing(const json& placement, std::int64_t steps = 6) {
  return load_scenario({{"topology", "dgx_h100_8"},
                        {"ranks", 2},
                        {"model", {{"expert_hidden", 512}}},
                        {"network", "bound"},
                        {"placement", placement}},
                       {"test", "#"},
                       drifting(steps));
}

double rank_imbalance(const SimulationResult& result, std::size_t step) {
  return result.layers[step].rank_imbalance;
}

TEST(Replacement, WithoutPeriodTheWholeTraceDecides) {
  const SimulationResult result = simulate(replacing("greedy"));
  EXPECT_FALSE(result.replacement.has_value());
  for (std::size_t step = 0; step < 6; ++step) {
    EXPECT_DOUBLE_EQ(rank_imbalance(result, step), 1) << "one of each hot pair on each rank";
  }
}

TEST(Replacement, APlacementOfDelayDSeesNothingYounger) {
  const json use = {{"name", "greedy"}, {"period", 1}, {"delay", 1}, {"window", 1}};
  const SimulationResult result = simulate(replacing(use));
  EXPECT_GT(rank_imbalance(result, 0), 1.7) << "the initial, contiguous placement";
  EXPECT_DOUBLE_EQ(rank_imbalance(result, 1), 1);
  ASSERT_TRUE(result.replacement.has_value());
  EXPECT_EQ(result.replacement->migrations.size(), 5U);
  EXPECT_EQ(result.replacement->migrations[0].step, 1);
}

TEST(Replacement, AnOracleStartsBalanced) {
  const json use = {{"name", "greedy"}, {"period", 1}, {"delay", 0}, {"window", 1}};
  EXPECT_DOUBLE_EQ(rank_imbalance(simulate(replacing(use)), 0), 1);
}

TEST(Replacement, AgeNeedsAPeriod) {
  expect_error<InvalidInput>(
      [] {
        (void)replacing({{"name", "greedy"}, {"delay", 1}});
      },
      "need a period");
  expect_error<InvalidInput>(
      [] {
        (void)replacing({{"name", "eplb"}, {"period", 1}, {"initial", "greedy"}});
      },
      "no routing to look at");
}

TEST(Replacement, SaysAfterHowManyStepsItPays) {
  const json use = {{"name", "greedy"}, {"period", 1}, {"window", 1}};
  const Scenario moving = replacing(use);
  const SimulationResult result = simulate(moving);
  const ReplacementResult& study = *result.replacement;
  const double each = 2.0 * 3 * 1024 * 512;  // bf16, three matrices
  EXPECT_GT(study.migrations[0].copies, 0);
  EXPECT_DOUBLE_EQ(study.migrations[0].bytes,
                   each * static_cast<double>(study.migrations[0].copies));
  EXPECT_GE(study.migrations[0].time_s, study.migrations[0].lower_bound_s);
  ASSERT_TRUE(study.break_even_steps.has_value());
  double moves = 0;
  for (const MigrationResult& migration : study.migrations) {
    moves += migration.copies > 0 ? 1 : 0;
  }
  EXPECT_NEAR(*study.break_even_steps,
              study.migration_s / moves / (*study.initial_step_s - *study.step_s),
              1e-9);
}

TEST(Migration, FetchesFromTheOwnNodeAndSharesTheSending) {
  const Fabric fabric = load_topology("hgx_h100_rail_64");
  // Expert 0 on ranks 0, 1 (node 0) and 8 (node 1); ranks 2, 3 and 9 want it too.
  const Placement from{{{.slot_to_expert = {0, 0, 0}, .slot_to_rank = {0, 1, 8}}}};
  const Placement to{{{.slot_to_expert = {0, 0, 0, 0, 0, 0}, .slot_to_rank = {0, 1, 2, 3, 8, 9}}}};
  const Schedule schedule = migration_schedule(from, to, fabric, 16, 1, 100);
  EXPECT_EQ(schedule.source, (std::vector<std::int32_t>{0, 1, 8}));
  EXPECT_EQ(schedule.destination, (std::vector<std::int32_t>{2, 3, 9}));
  EXPECT_EQ(schedule.bytes, (std::vector<std::int64_t>{100, 100, 100}));
  EXPECT_EQ(migration_schedule(to, from, fabric, 16, 1, 100).transfer_count(), 0U)
      << "forgetting is free";
}

TEST(Replicas, BeyondTheMemoryAreRefusedWithTheNumbers) {
  const json use = {{"name", "eplb"}, {"redundant", 4}, {"memory", "10MB"}};
  // 4 copies of 3.1 MB on each of 2 ranks.
  expect_error<InvalidInput>([&] { (void)simulate(replacing(use)); },
                             "replicas do not fit: rank 0 would hold 4 expert copies");
  EXPECT_NO_THROW((void)simulate(replacing({{"name", "eplb"}, {"memory", "10MB"}})))
      << "without replicas the placement is not what does not fit";
}

}  // namespace
}  // namespace switchyard
