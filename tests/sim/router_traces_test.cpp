// What the traces of special routers cost when they are replayed: Adaptive Clustering's statistics
// (check ACM-4), self-contrast's second pass (SC-1), tokens that skip layers (PRANCE, mixture of
// depths). Traces come from the routers themselves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/route_workload.hpp"
#include "sim/replay/simulation.hpp"
#include "tests/kernels/router_fixture.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::Not;

constexpr std::int64_t kRanks = 4;
constexpr std::int64_t kExperts = 8;

RoutingTrace route(const std::string& name, const json& values, std::int64_t tokens) {
  const auto workload = make_workload("latent_clusters",
                                      {{"layers", 4},
                                       {"ranks", kRanks},
                                       {"tokens", tokens},
                                       {"sequence_length", 40},
                                       {"hidden", 32},
                                       {"experts", kExperts},
                                       {"topics", 6}});
  const auto router = make_router(name, values);
  return route_workload(
      {.workload = *workload, .router = *router, .router_name = name, .router_parameters = {}});
}

SimulationResult replay(RoutingTrace&& trace, const json& changes = json::object()) {
  json document = {{"topology", "dgx_h100_8"},
                   {"ranks", kRanks},
                   {"model", {{"expert_hidden", 64}}},
                   {"network", "bound"}};
  document.merge_patch(changes);
  return simulate(load_scenario(
      document, {"test", "#"}, std::make_shared<const RoutingData>(std::move(trace))));
}

std::vector<std::string> phase_names(const LayerResult& layer) {
  std::vector<std::string> names;
  for (const PhaseResult& phase : layer.phases) {
    names.push_back(phase.name);
  }
  return names;
}

double all_bytes(const SimulationResult& result) {
  return *result.total.inter_node_bytes + *result.total.intra_node_bytes;
}

// ACM-4, the traffic: statistics local to a rank add no byte.
TEST(AdaptiveClusteringTrace, AddsNoByteWithLocalStatistics) {
  const SimulationResult result = replay(route("ac", json::object(), 60));
  for (const LayerResult& layer : result.layers) {
    EXPECT_THAT(phase_names(layer), ::testing::ElementsAre("dispatch", "experts", "combine"));
  }
  EXPECT_FALSE(result.total.collective_s.has_value());
}

// Statistics over all ranks: two tables of experts x hidden floats, summed in a ring.
TEST(AdaptiveClusteringTrace, PaysForGlobalStatisticsWhatItsTraceSays) {
  const SimulationResult result = replay(route("ac", {{"statistics", "global"}}, 60));
  for (const LayerResult& layer : result.layers) {
    if (layer.layer < 2) {  // ordinary gates
      EXPECT_THAT(phase_names(layer), Not(Contains("layer_allreduce")));
      continue;
    }
    ASSERT_EQ(phase_names(layer).front(), "layer_allreduce");
    EXPECT_EQ(layer.phases.front().bytes, 2 * (kRanks - 1) * (2 * kExperts * 32 * 4));
    EXPECT_GT(layer.collective->time_s, 0);
  }
  const SimulationResult backward =
      replay(route("ac", {{"statistics", "global"}}, 60), {{"pass", "backward"}});
  EXPECT_FALSE(backward.total.collective_s.has_value()) << "statistics carry no gradient";
}

// Which selections of a two-pass trace are replayed.
enum class Passes { Strong, Both, Joined };

// The trace with Mixtral's width; joined: one row a token with each expert once.
RoutingTrace with_passes(const RoutingTrace& trace, Passes passes) {
  TraceColumns columns;
  const std::size_t strong_k = trace.top_k();
  const std::size_t width = passes == Passes::Joined ? strong_k + 1 : strong_k;
  std::int64_t row_count = 0;
  for (std::size_t at = 0; at < trace.chunks().size(); ++at) {
    const bool is_weak = at % 2 == 1;
    if (is_weak && passes != Passes::Both) {
      continue;
    }
    Chunk chunk = trace.chunks()[at];
    const ExpertIds ids = trace.expert_ids(chunk);
    for (std::size_t row = 0; row < ids.rows(); ++row) {
      for (std::size_t choice = 0; choice < strong_k; ++choice) {
        columns.expert_ids.push_back(ids.at(row, choice));
      }
      if (passes == Passes::Joined) {
        const std::int32_t weak = trace.expert_ids(trace.chunks()[at + 1]).at(row, 0);
        const auto begin = columns.expert_ids.end() - static_cast<std::ptrdiff_t>(strong_k);
        const bool is_known =
            std::find(begin, columns.expert_ids.end(), weak) != columns.expert_ids.end();
        columns.expert_ids.push_back(is_known ? kNoExpert : weak);
      }
    }
    chunk.first_row = row_count;
    row_count += chunk.row_count;
    columns.chunks.push_back(chunk);
  }
  TraceMetadata metadata = trace.metadata();
  metadata.model.hidden = 4096;
  metadata.model.top_k = static_cast<std::int64_t>(width);
  metadata.passes = passes == Passes::Both ? 2 : 1;
  return RoutingTrace::from_columns(metadata, std::move(columns), {"passes", ""});
}

SimulationResult replay_passes(std::int64_t tokens, int weak_rank, Passes passes) {
  const RoutingTrace trace = route("scmoe", {{"k", 2}, {"weak_rank", weak_rank}}, tokens);
  const json once = {{"name", "direct"}, {"once_per_rank", true}};
  return replay(with_passes(trace, passes),
                {{"model", {{"expert_hidden", 14336}}},
                 {"all_to_all", {{"dispatch", once}, {"combine", once}}}});
}

// SC-1, bytes: both passes dispatched cost half as much again; the union of a token's experts,
// sent once to each rank, costs less than that.
TEST(SelfContrastTrace, CostsHalfAsManyBytesMoreUnlessPassesShareTheirTokens) {
  for (const int weak_rank : {2, 3}) {
    const RoutingTrace trace = route("scmoe", {{"k", 2}, {"weak_rank", weak_rank}}, 400);
    const SimulationResult strong = replay(with_passes(trace, Passes::Strong));
    const SimulationResult both = replay(with_passes(trace, Passes::Both));
    EXPECT_EQ(both.layers[0].pairs * 2, strong.layers[0].pairs * 3);
    // Which of a token's experts is on another rank is chance: within 10 %.
    EXPECT_NEAR(all_bytes(both) / all_bytes(strong), 1.5, 0.15) << weak_rank;
    const double apart = all_bytes(replay_passes(400, weak_rank, Passes::Both));
    const double joined = all_bytes(replay_passes(400, weak_rank, Passes::Joined));
    EXPECT_LT(joined, apart) << weak_rank;
    if (weak_rank == 2) {  // the weak expert is one of the strong ones
      EXPECT_EQ(joined, all_bytes(replay_passes(400, weak_rank, Passes::Strong)));
    }
  }
}

// SC-1, time: a decode step reads weights, and the passes share those of common experts.
TEST(SelfContrastTrace, CostsADecodeStepAtMostTheBoundOfTwoPassesInSequence) {
  for (const int weak_rank : {2, 3}) {
    const double strong = *replay_passes(16, weak_rank, Passes::Strong).total.step_s;
    const double both = *replay_passes(16, weak_rank, Passes::Both).total.step_s;
    EXPECT_GE(both / strong, 1.0) << weak_rank;
    EXPECT_LE(both / strong, 1.56) << weak_rank;
    EXPECT_LE(*replay_passes(16, weak_rank, Passes::Joined).total.step_s, both) << weak_rank;
  }
}

// PRANCE's part that a simulator can carry: rows and bytes of a layer follow its living tokens.
TEST(SkippedTokens, CostNeitherRowsNorBytesNorSharedExperts) {
  const json shared = {{"model", {{"shared_experts", 1}}}};
  const RoutingTrace trace = route("mixture_of_depths", {{"k", 2}, {"capacity", 0.25}}, 60);
  const SimulationResult result =
      replay(route("mixture_of_depths", {{"k", 2}, {"capacity", 0.25}}, 60), shared);
  for (const LayerResult& layer : result.layers) {
    const std::int64_t alive = layer.layer % 2 == 1 ? 15 : 60;
    EXPECT_EQ(layer.rank_tokens, std::vector<std::int64_t>(kRanks, alive));
    EXPECT_EQ(layer.pairs, kRanks * alive * 2);
    std::int64_t crossing = 0;
    for (const Chunk& chunk : trace.chunks()) {
      const ExpertIds ids = trace.expert_ids(chunk);
      for (std::size_t row = 0; chunk.layer == layer.layer && row < ids.rows(); ++row) {
        for (std::size_t choice = 0; choice < 2; ++choice) {
          const std::int32_t id = ids.at(row, choice);
          crossing += id != kNoExpert && id / 2 != chunk.source_rank ? 1 : 0;
        }
      }
    }
    EXPECT_EQ(layer.dispatch->intra_node_bytes, static_cast<double>(crossing) * 32 * 2);
  }
}

// Rows exactly by the share that is alive, whatever the experts: every rank computes all of them.
TEST(SkippedTokens, ScaleAShardedLayerExactly) {
  const SimulationResult result =
      replay(route("mixture_of_depths", {{"k", 2}, {"capacity", 0.25}}, 60),
             {{"schedule", "sharded_experts"}});
  EXPECT_EQ(result.layers[1].rank_rows[0] * 4, result.layers[0].rank_rows[0]);
  EXPECT_EQ(result.layers[1].dispatch->intra_node_bytes * 4,
            result.layers[0].dispatch->intra_node_bytes);
}

}  // namespace
}  // namespace switchyard
