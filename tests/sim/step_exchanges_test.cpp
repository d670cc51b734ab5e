// What copies of the expert-parallel group exchange once a step, and passes: closed forms on a
// switch, where a ring takes its rounds one after another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/replay/simulation.hpp"
#include "tests/support/small_trace.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

constexpr double kRounding = 1e-9;          // relative; sums of a few doubles
constexpr double kTokens = 16;              // per rank
constexpr double kTokenBytes = 1024 * 2.0;  // bf16
constexpr double kExpertBytes = 3 * 1024 * 512 * 2.0;

// 16 experts on 2 ranks of a DGX, 4 layers.
Scenario with_groups(const json& changes) {
  json document = {{"topology", "dgx_h100_8"},
                   {"ranks", 2},
                   {"model", {{"expert_hidden", 512}}},
                   {"network", "fluid"}};
  document.merge_patch(changes);
  return load_scenario(
      document,
      {"test", "#"},
      testing::small_routing(
          {.layers = 4, .ranks = 2, .tokens_per_rank = static_cast<std::int64_t>(kTokens)}));
}

// Seconds of one message between two GPUs of the node with nothing in its way.
double message(double bytes) {
  const Scenario any = with_groups(json::object());
  double rate = 1e300;
  for (const Hop& hop : any.fabric->routes(8).hops(0, 1)) {
    rate = std::min(rate, any.fabric->links()[hop.link.index()].effective_bandwidth().value);
  }
  return bytes / rate + any.fabric->routes(8).latency(0, 1).count();
}

// Ring allreduce among `members`: 2 (n - 1) rounds of an n-th part.
double allreduce(double bytes, double members) {
  return 2 * (members - 1) * message(bytes / members);
}

std::vector<std::string> names(const SimulationResult& result) {
  std::vector<std::string> found;
  for (const StepExchange& exchange : result.total.step_exchanges) {
    found.push_back(exchange.name);
  }
  return found;
}

TEST(Pipeline, FillsAndDrainsAndHopsFromStageToStage) {
  const SimulationResult result =
      simulate(with_groups({{"parallel", {{"data", 2}, {"pipeline", 2}, {"micro_batches", 3}}}}));
  ASSERT_THAT(names(result), ElementsAre("pipeline"));
  const double hop = message(kTokens * kTokenBytes);
  const StepExchange& exchange = result.total.step_exchanges[0];
  EXPECT_NEAR(exchange.time_s, hop, kRounding * hop);
  EXPECT_NEAR(exchange.exposed_s, 3 * hop, kRounding * hop)
      << "one to fill, one a micro-batch more";
  EXPECT_EQ(exchange.bytes, 4 * kTokens * kTokenBytes) << "two ranks of two copies";

  const auto stage = [&](std::size_t first) {
    return *result.layers[first].layer_s + *result.layers[first + 1].layer_s;
  };
  const double step = *result.total.layer_s + hop + 2 * (std::max(stage(0), stage(2)) + hop);
  EXPECT_NEAR(*result.total.step_s, step, kRounding * step);
  EXPECT_NEAR(result.total.pipeline_bubble, 1 - 3 * *result.total.layer_s / 2 / step, kRounding);
}

TEST(Pipeline, OfOneStageOnlyRepeatsTheLayers) {
  const SimulationResult result = simulate(with_groups({{"parallel", {{"micro_batches", 3}}}}));
  EXPECT_TRUE(result.total.step_exchanges.empty());
  EXPECT_EQ(result.total.pipeline_bubble, 0);
  EXPECT_NEAR(*result.total.step_s, 3 * *result.total.layer_s, kRounding * *result.total.step_s);
}

json training(const json& parallel) {
  return {{"pass", "training"}, {"parallel", parallel}};
}

TEST(Gradients, AreSummedInRingsOverTheCopies) {
  const SimulationResult result =
      simulate(with_groups(training({{"data", 2}, {"dense_gradients", "4MiB"}})));
  ASSERT_THAT(names(result), ElementsAre("dense_gradients", "expert_gradients"));
  const double dense = allreduce(4 << 20, 4);
  const double experts = allreduce(16 * 4 * kExpertBytes / 2, 2);
  EXPECT_NEAR(result.total.step_exchanges[0].time_s, dense, kRounding * dense);
  EXPECT_NEAR(result.total.step_exchanges[1].time_s, experts, kRounding * experts);
  const double step = *result.total.layer_s + dense + experts;
  EXPECT_NEAR(*result.total.step_s, step, kRounding * step);
}

TEST(Gradients, OfDenseWeightsStayAmongEqualPlacesOfTensorParallelGroups) {
  const SimulationResult result =
      simulate(with_groups(training({{"tensor", 2}, {"data", 2}, {"dense_gradients", "4MiB"}})));
  const double dense = allreduce(4 << 20, 2);
  EXPECT_NEAR(result.total.step_exchanges[0].time_s, dense, kRounding * dense);
}

TEST(Gradients, OfExpertsThatEveryRankHoldsCrossAllRanks) {
  json changes = training({{"data", 2}});
  changes["schedule"] = "local_experts";
  const SimulationResult result = simulate(with_groups(changes));
  ASSERT_THAT(names(result), ElementsAre("expert_gradients"));
  const double experts = allreduce(16 * 4 * kExpertBytes, 4);
  EXPECT_NEAR(result.total.step_exchanges[0].time_s, experts, kRounding * experts);
}

TEST(Gradients, HideBehindTheStepAsFarAsThereIsOne) {
  const auto run = [](double overlap, const char* dense) {
    return simulate(with_groups(
        training({{"data", 2}, {"dense_gradients", dense}, {"gradient_overlap", overlap}})));
  };
  const SimulationResult half = run(0.5, "16KiB");
  const double little = allreduce(16 << 10, 4);
  EXPECT_NEAR(half.total.step_exchanges[0].exposed_s, little / 2, kRounding * little);
  // Gradients of 64 GiB take longer than the layers: what is left of them shows, and nothing is
  // left to hide the experts' in.
  const SimulationResult large = run(1, "64GiB");
  const double dense = allreduce(64.0 * (1ULL << 30U), 4);
  EXPECT_NEAR(
      large.total.step_exchanges[0].exposed_s, dense - *large.total.layer_s, kRounding * dense);
  EXPECT_EQ(large.total.step_exchanges[1].exposed_s, large.total.step_exchanges[1].time_s);
}

TEST(Gradients, AreNotExchangedInAForwardPass) {
  const SimulationResult result =
      simulate(with_groups({{"parallel", {{"data", 2}, {"dense_gradients", "4MiB"}}}}));
  EXPECT_TRUE(result.total.step_exchanges.empty());
  EXPECT_EQ(*result.total.step_s, *result.total.layer_s);
}

TEST(TrainingPass, SendsTwiceAndComputesThreeTimesTheForward) {
  const SimulationResult forward = simulate(with_groups(json::object()));
  const SimulationResult both = simulate(with_groups({{"pass", "training"}}));
  EXPECT_NEAR(both.total.compute_s, 3 * forward.total.compute_s, kRounding * both.total.compute_s);
  const double exchanged = *forward.total.dispatch_s + *forward.total.combine_s;
  EXPECT_NEAR(*both.total.dispatch_s + *both.total.combine_s, 2 * exchanged, kRounding * exchanged);
  EXPECT_EQ(*both.total.intra_node_bytes, 2 * *forward.total.intra_node_bytes);
}

TEST(TrainingPass, GoesBackFromTheLastLayerToTheFirst) {
  const SimulationResult result = simulate(with_groups({{"pass", "training"}}));
  double before = 0;  // everything forward has ended
  for (const LayerResult& layer : result.layers) {
    std::vector<std::string> phases;
    for (const PhaseResult& phase : layer.phases) {
      phases.push_back(phase.name);
    }
    EXPECT_THAT(
        phases,
        ElementsAre(
            "dispatch", "experts", "combine", "combine_grad", "experts_grad", "dispatch_grad"));
    before = std::max(before, layer.phases[2].start_s);
  }
  for (std::size_t layer = result.layers.size(); layer-- > 0;) {
    EXPECT_GT(result.layers[layer].phases[3].start_s, before) << "layer " << layer;
    before = result.layers[layer].phases[5].start_s;
  }
}

TEST(BackwardPass, IsTheTrainingPassWithoutTheForward) {
  const SimulationResult forward = simulate(with_groups(json::object()));
  const SimulationResult backward = simulate(with_groups({{"pass", "backward"}}));
  EXPECT_NEAR(
      backward.total.compute_s, 2 * forward.total.compute_s, kRounding * forward.total.compute_s);
  EXPECT_EQ(*backward.total.intra_node_bytes, *forward.total.intra_node_bytes);
  EXPECT_EQ(backward.layers[0].phases.front().name, "combine_grad");
}

}  // namespace
}  // namespace switchyard
