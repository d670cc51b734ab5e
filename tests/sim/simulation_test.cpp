#include "sim/replay/simulation.hpp"

#include <numeric>

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/small_trace.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;
using testing::small_routing;
using testing::SmallTrace;

Scenario scenario(const json& changes, const SmallTrace& shape = {}) {
  json document = {
      {"topology", "dgx_h100_8"}, {"model", {{"expert_hidden", 512}}}, {"network", "bound"}};
  document.merge_patch(changes);
  return load_scenario(document, {"test", "#"}, small_routing(shape));
}

// One token from rank 0 to an expert on rank 1 of an 8-GPU node: every time has a closed form.
TEST(Simulation, OneTokenCostsItsBytesThereAndBackAndItsExpert) {
  TraceColumns columns;
  columns.chunks = {{.step = 0, .layer = 0, .source_rank = 0, .first_row = 0, .row_count = 1}};
  columns.expert_ids = {1};
  TraceMetadata metadata;
  metadata.model = {.hidden = 4096, .experts = 8, .top_k = 1, .layers = 1, .dtype = "bf16"};
  const auto routing =
      std::make_shared<const RoutingData>(RoutingTrace::from_columns(metadata, std::move(columns)));
  const Scenario one = load_scenario({{"topology", "dgx_h100_8"},
                                      {"model", {{"expert_hidden", 1024}}},
                                      {"compute", {{"rates", "peak"}}},
                                      {"network", "bound"}},
                                     {"test", "#"},
                                     routing);
  const SimulationResult result = simulate(one);
  ASSERT_EQ(result.layers.size(), 1U);
  const LayerResult& layer = result.layers.front();

  double slowest = 1e300;
  double latency = 0;
  for (const Hop& hop : one.fabric->routes(8).hops(0, 1)) {
    slowest = std::min(slowest, one.fabric->links()[hop.link.index()].effective_bandwidth().value);
  }
  latency = one.fabric->routes(8).latency(0, 1).count();
  const double exchange = 8192 / slowest + latency;
  // Weight-bound: three matrices of 4096 x 1024 and two rows, in bf16, at 3.35 TB/s.
  const double expert = 2.0 * (3 * 4096.0 * 1024 + 2 * 4096) / 3.35e12;
  // Rounding only.
  EXPECT_NEAR(layer.dispatch->time_s, exchange, 1e-12 * exchange);
  EXPECT_NEAR(layer.compute_s, expert, 1e-12 * expert);
  EXPECT_NEAR(*layer.layer_s, 2 * exchange + expert, 1e-12);
  EXPECT_EQ(layer.busiest_expert, 1);
  EXPECT_EQ(layer.pairs, 1);
}

TEST(Simulation, DoesNotDependOnTheNumberOfThreads) {
  const Scenario many = scenario(json::object(), {.steps = 3, .layers = 5});
  const SimulationResult one = simulate(many, {.threads = 1});
  const SimulationResult four = simulate(many, {.threads = 4});
  ASSERT_EQ(one.layers.size(), 15U);
  ASSERT_EQ(four.layers.size(), 15U);
  EXPECT_EQ(*one.total.layer_s, *four.total.layer_s);
  for (std::size_t i = 0; i < one.layers.size(); ++i) {
    EXPECT_EQ(one.layers[i].rank_start_s, four.layers[i].rank_start_s);
  }
}

TEST(Simulation, AddsUp) {
  const SimulationResult result = simulate(scenario(json::object(), {.steps = 2, .layers = 3}));
  double layers = 0;
  for (const LayerResult& layer : result.layers) {
    layers += *layer.layer_s;
    EXPECT_GE(*layer.layer_s, *layer.lower_bound_s + 0 * layer.compute_s);
    EXPECT_GE(layer.dispatch->time_s, layer.dispatch->lower_bound_s);
    EXPECT_EQ(std::accumulate(layer.expert_rows.begin(), layer.expert_rows.end(), 0LL),
              layer.pairs);
  }
  EXPECT_EQ(result.total.steps, 2);
  EXPECT_NEAR(*result.total.layer_s, layers, 1e-15);  // sums of the same numbers
  EXPECT_NEAR(*result.total.step_s, layers / 2, 1e-15);
  EXPECT_GE(*result.total.wait_s, 0);
}

TEST(Simulation, DropAndPadCostsTheSameWhateverTheRouting) {
  const json padded = {{"capacity", {{"name", "drop_and_pad"}, {"factor", 1.0}}}};
  const SimulationResult even = simulate(scenario(padded, {.layers = 1, .tokens_per_rank = 32}));
  const SimulationResult other = simulate(scenario(padded, {.layers = 2, .tokens_per_rank = 32}));
  EXPECT_EQ(even.layers[0].dispatch->time_s, other.layers[1].dispatch->time_s);
  EXPECT_EQ(even.layers[0].compute_s, other.layers[1].compute_s);
}

TEST(Simulation, RefusesMoreSourceRanksThanRanks) {
  EXPECT_THROW((void)simulate(scenario({{"ranks", 4}}, {.ranks = 8})), InvalidInput);
}

TEST(Simulation, AsksForARuleWhenTheTraceHasNoRanks) {
  expect_error<InvalidInput>([] { (void)simulate(scenario(json::object(), {.ranks = 0})); },
                             "--assign-ranks");
  const json rule = {{"trace", {{"assign_ranks", "contiguous"}}}};
  const SimulationResult result = simulate(scenario(rule, {.ranks = 0, .tokens_per_rank = 32}));
  EXPECT_TRUE(result.total.step_s.has_value());
}

TEST(Simulation, NeedsLogitsToReroute) {
  const json reroute = {{"capacity", {{"name", "reroute"}, {"factor", 0.5}}}};
  expect_error<MissingCapability>([&] { (void)simulate(scenario(reroute)); }, "logits");
  // Half as many slots as pairs: the half that finds no room anywhere is dropped.
  const SmallTrace crowded{.tokens_per_rank = 32, .with_logits = true};
  EXPECT_DOUBLE_EQ(simulate(scenario(reroute, crowded)).total.dropped_fraction, 0.5);
}

ExpertLoad counts(std::int64_t source_rank) {
  ExpertLoad load;
  load.metadata.model = {.hidden = 1024, .experts = 16, .top_k = 2, .layers = 1, .dtype = "bf16"};
  load.rows = {{.step = 0, .layer = 4, .source_rank = source_rank}};
  load.counts = Matrix<std::int64_t>(1, 16);
  for (std::size_t expert = 0; expert < 16; ++expert) {
    load.counts(0, expert) = static_cast<std::int64_t>(expert);
  }
  return load;
}

TEST(Simulation, GivesLoadsButNoTimesForCountsWithoutRanks) {
  const auto routing = std::make_shared<const RoutingData>(counts(-1));
  const json document = {{"topology", "dgx_h100_8"}, {"model", {{"expert_hidden", 512}}}};
  const SimulationResult result = simulate(load_scenario(document, {"test", "#"}, routing));
  EXPECT_FALSE(result.total.step_s.has_value());
  EXPECT_FALSE(result.layers[0].dispatch.has_value());
  EXPECT_DOUBLE_EQ(result.layers[0].expert_imbalance, 2.0);  // 15 over a mean of 7.5
  EXPECT_EQ(result.layers[0].busiest_rank, 7);               // experts 14 and 15
  const json capped = {
      {"topology", "dgx_h100_8"}, {"model", {{"expert_hidden", 512}}}, {"capacity", "drop"}};
  expect_error<MissingCapability>(
      [&] {
        (void)simulate(load_scenario(capped, {"test", "#"}, routing));
      },
      "capacity");
}

TEST(Simulation, PricesCountsPerRankExactly) {
  const auto routing = std::make_shared<const RoutingData>(counts(3));
  const json document = {
      {"topology", "dgx_h100_8"}, {"model", {{"expert_hidden", 512}}}, {"network", "bound"}};
  const SimulationResult result = simulate(load_scenario(document, {"test", "#"}, routing));
  ASSERT_TRUE(result.layers[0].dispatch.has_value());
  // Everything but experts 6 and 7, which live on rank 3 itself, crosses: (120 - 13) rows of 2 KiB.
  EXPECT_EQ(result.layers[0].dispatch->intra_node_bytes, 107.0 * 2048);
}

}  // namespace
}  // namespace switchyard
