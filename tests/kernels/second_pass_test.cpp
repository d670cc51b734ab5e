// Routers whose traces say more than "send each token to its experts": a second pass (SCMoE, check
// SC-1 of the design notes as far as routing goes), merged experts (Lory), statistics over all
// ranks (Adaptive Clustering), tokens that skip a layer (mixture of depths).
#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "kernels/route_workload.hpp"
#include "kernels/stages/adaptive_clustering.hpp"
#include "tests/kernels/router_fixture.hpp"
#include "tests/support/temporary_folder.hpp"
#include "traces/files/trace_file.hpp"

namespace switchyard {
namespace {

const nlohmann::json kSmallPass{{"layers", 4},
                                {"ranks", 3},
                                {"tokens", 60},
                                {"sequence_length", 40},
                                {"hidden", 32},
                                {"experts", 8},
                                {"topics", 6}};

RoutingTrace route_small(const std::string& name, const nlohmann::json& values) {
  const auto workload = make_workload("latent_clusters", kSmallPass);
  const auto router = make_router(name, values);
  return route_workload(
      {.workload = *workload, .router = *router, .router_name = name, .router_parameters = {}});
}

/// Choices of a chunk that hold an expert.
std::size_t dispatches(const RoutingTrace& trace, const Chunk& chunk) {
  const ExpertIds ids = trace.expert_ids(chunk);
  std::size_t count = 0;
  for (std::size_t row = 0; row < ids.rows(); ++row) {
    for (std::size_t slot = 0; slot < ids.top_k(); ++slot) {
      count += ids.at(row, slot) != kNoExpert ? 1 : 0;
    }
  }
  return count;
}

TEST(SelfContrast, RecordsTheWeakPassAsASecondChunkOfTheSameTokens) {
  const RoutingTrace trace = route_small("scmoe", {{"k", 2}, {"weak_rank", 3}});
  trace.check_rows();
  EXPECT_EQ(trace.metadata().passes, 2);
  EXPECT_EQ(trace.chunks().size(), 2U * 4U * 3U);
  EXPECT_EQ(trace.row_count(), 2U * 4U * 3U * 60U);
  for (std::size_t at = 0; at < trace.chunks().size(); at += 2) {
    const Chunk& strong = trace.chunks()[at];
    const Chunk& weak = trace.chunks()[at + 1];
    EXPECT_EQ(strong.layer, weak.layer);
    EXPECT_EQ(strong.source_rank, weak.source_rank);
    EXPECT_EQ(trace.token_ids(strong), trace.token_ids(weak));
  }
}

/// Dispatches of both passes, and of their union, over those of the strong pass.
std::pair<double, double> pass_factors(std::int64_t weak_rank) {
  const RoutingTrace trace = route_small("scmoe", {{"k", 2}, {"weak_rank", weak_rank}});
  double strong_count = 0;
  double both_count = 0;
  double union_count = 0;
  for (std::size_t at = 0; at < trace.chunks().size(); at += 2) {
    const ExpertIds strong = trace.expert_ids(trace.chunks()[at]);
    const ExpertIds weak = trace.expert_ids(trace.chunks()[at + 1]);
    strong_count += static_cast<double>(dispatches(trace, trace.chunks()[at]));
    both_count += static_cast<double>(dispatches(trace, trace.chunks()[at]) +
                                      dispatches(trace, trace.chunks()[at + 1]));
    for (std::size_t row = 0; row < strong.rows(); ++row) {
      union_count += static_cast<double>(
          std::set{strong.at(row, 0), strong.at(row, 1), weak.at(row, 0)}.size());
    }
  }
  return {both_count / strong_count, union_count / strong_count};
}

TEST(SelfContrast, DispatchesHalfAsMuchAgainUnlessPassesShareTheirExperts) {
  // The second best expert is part of the strong pass: the union costs nothing more.
  EXPECT_DOUBLE_EQ(pass_factors(2).first, 1.5);
  EXPECT_DOUBLE_EQ(pass_factors(2).second, 1.0);
  EXPECT_DOUBLE_EQ(pass_factors(3).first, 1.5);
  EXPECT_DOUBLE_EQ(pass_factors(3).second, 1.5);
}

TEST(SelfContrast, TakesTheExpertOfTheAskedRankAlone) {
  const Matrix<float> logits = normal_matrix(100, 16, 3);
  const RoutingDecision all = make_router("top_k", {{"k", 8}})->route(logits_only(logits));
  for (const std::size_t rank : {1U, 2U, 5U, 8U}) {
    const RoutingDecision got =
        make_router("scmoe", {{"k", 2}, {"weak_rank", rank}})->route(logits_only(logits));
    for (std::size_t token = 0; token < 100; ++token) {
      EXPECT_EQ(got.expert_ids(token, 0), all.expert_ids(token, 0));
      EXPECT_EQ(got.second_ids(token, 0), all.expert_ids(token, rank - 1));
      EXPECT_EQ(got.second_weights(token, 0), 1.0F);
    }
  }
  EXPECT_THROW(make_router("scmoe", {{"weak_rank", 9}})->check_shape(8, 1), InvalidInput);
}

/// Lory over `hidden` in two sequences, the second from token 50 on, segments of 20.
RoutingDecision merge_segments(const Matrix<float>& hidden) {
  const Matrix<float> gate = normal_matrix(8, hidden.columns(), 5);
  std::vector<std::int64_t> sequences(hidden.rows(), 0);
  std::fill(sequences.begin() + 50, sequences.end(), 1);
  return make_router("lory", {{"k", 8}, {"segment_length", 20}})
      ->route({.hidden = hidden.view(), .gate = gate.view(), .sequence_ids = sequences});
}

TEST(Lory, DecidesForASegmentByTheOneBefore) {
  const Matrix<float> hidden = normal_matrix(120, 32, 4);
  const RoutingDecision before = merge_segments(hidden);
  // Segments start at 0, 20, 40 and 50, 70, 90, 110.
  const auto starts_of_changed = [&](std::size_t token) {
    Matrix<float> changed = hidden;
    changed(token, 0) += 10.0F;
    const RoutingDecision after = merge_segments(changed);
    std::set<std::size_t> starts;
    for (const std::size_t start : {0U, 20U, 40U, 50U, 70U, 90U, 110U}) {
      if (before.weights(start, 0) != after.weights(start, 0)) {
        starts.insert(start);
      }
    }
    return starts;
  };
  EXPECT_EQ(starts_of_changed(5), (std::set<std::size_t>{0, 20}));
  EXPECT_EQ(starts_of_changed(25), (std::set<std::size_t>{40}));
  EXPECT_EQ(starts_of_changed(45), (std::set<std::size_t>{}));  // the last of its sequence
  EXPECT_EQ(starts_of_changed(55), (std::set<std::size_t>{50, 70}));
}

TEST(Lory, GivesAllTokensOfASegmentTheSameWeightsThatSumToOne) {
  const RoutingDecision decision = merge_segments(normal_matrix(120, 32, 6));
  for (std::size_t token = 0; token < 120; ++token) {
    const std::size_t in_sequence = token < 50 ? token : token - 50;
    const std::size_t start = token - in_sequence % 20;
    double sum = 0;
    for (std::size_t slot = 0; slot < 8; ++slot) {
      EXPECT_EQ(decision.expert_ids(token, slot), decision.expert_ids(start, slot));
      EXPECT_EQ(decision.weights(token, slot), decision.weights(start, slot));
      sum += double{decision.weights(token, slot)};
    }
    EXPECT_NEAR(sum, 1.0, 1e-6);
  }
}

TEST(Lory, SaysThatExpertsAreMerged) {
  EXPECT_TRUE(route_small("lory", {{"segment_length", 16}}).metadata().merges_experts);
  EXPECT_FALSE(route_small("top_k", {}).metadata().merges_experts);
}

TEST(AdaptiveClustering, OverAllRanksHasTheStatisticsOfAllTokens) {
  const RoutingTrace local = route_small("ac", {});
  const RoutingTrace global = route_small("ac", {{"statistics", "global"}});
  global.check_rows();
  EXPECT_EQ(local.metadata().router_allreduce_bytes, 0);
  // Two tables of 8 clusters and 32 directions, from the third layer on.
  EXPECT_EQ(global.metadata().router_allreduce_bytes, 2 * 8 * 32 * 4);
  EXPECT_EQ(global.metadata().router_allreduce_first_layer, 2);
  ASSERT_EQ(local.chunks().size(), global.chunks().size());
  std::size_t same = 0;
  std::size_t other = 0;
  for (const StepLayer& step_layer : global.step_layers()) {
    const StepLayer& of_local = local.step_layers()[static_cast<std::size_t>(step_layer.layer)];
    for (std::size_t rank = 0; rank < 3; ++rank) {
      const ExpertIds a = global.expert_ids(global.chunks()[step_layer.chunks[rank]]);
      const ExpertIds b = local.expert_ids(local.chunks()[of_local.chunks[rank]]);
      for (std::size_t row = 0; row < a.rows(); ++row) {
        const bool is_same = a.at(row, 0) == b.at(row, 0) && a.at(row, 1) == b.at(row, 1);
        (step_layer.layer < 2 ? same : other) += is_same ? 0 : 1;
      }
    }
  }
  EXPECT_EQ(same, 0U) << "plain layers know no clusters";
  EXPECT_GT(other, 0U) << "three ranks have not the same statistics";
}

TEST(AdaptiveClustering, OverOneRankIsTheSameEitherWay) {
  nlohmann::json values = kSmallPass;
  values["ranks"] = 1;
  const auto workload = make_workload("latent_clusters", values);
  const auto local = make_router("ac");
  const auto global = make_router("ac", {{"statistics", "global"}});
  const auto ids_of = [&](const Router& router) {
    const RoutingTrace trace = route_workload(
        {.workload = *workload, .router = router, .router_name = "ac", .router_parameters = {}});
    std::vector<std::int32_t> ids;
    for (const Chunk& chunk : trace.chunks()) {
      const ExpertIds part = trace.expert_ids(chunk);
      for (std::size_t row = 0; row < part.rows(); ++row) {
        ids.push_back(part.at(row, 0));
      }
    }
    return ids;
  };
  EXPECT_EQ(ids_of(*local), ids_of(*global));
}

TEST(RouterMetadata, SurvivesTheFile) {
  const testing::TemporaryFolder folder;
  const auto workload = make_workload("latent_clusters", kSmallPass);
  const auto router = make_router("scmoe");
  const auto path = folder.path() / "two_passes.trace";
  const RouteRequest request{
      .workload = *workload, .router = *router, .router_name = "scmoe", .router_parameters = {}};
  const Similarities similarities = route_workload_to_file(request, path, false);
  const RoutingTrace trace = RoutingTrace::open(path);
  trace.check_rows();
  EXPECT_EQ(trace.metadata(), route_workload(request).metadata());
  EXPECT_EQ(trace.metadata().gate_similarity, similarities.gate);
  ASSERT_TRUE(similarities.routed.has_value());
  EXPECT_LE(*similarities.routed, 1.0);
}

TEST(MixtureOfDepths, DispatchesExactlyAsTheAliveTokensSay) {
  const RoutingTrace trace = route_small("mixture_of_depths", {{"k", 2}, {"capacity", 0.25}});
  trace.check_rows();
  for (const Chunk& chunk : trace.chunks()) {
    const auto alive = trace.alive(chunk);
    ASSERT_TRUE(alive.has_value());
    const auto living = static_cast<std::size_t>(std::ranges::count(*alive, 1));
    EXPECT_EQ(living, chunk.layer % 2 == 1 ? 15U : 60U);
    EXPECT_EQ(dispatches(trace, chunk), 2 * living);
  }
}

}  // namespace
}  // namespace switchyard
