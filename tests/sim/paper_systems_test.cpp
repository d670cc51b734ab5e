// The papers' systems as placements and capacities: the rows LOC, MOMA, MPP, ETR-3, SHD, MPOE and
// MoR1E of docs/papers.md, each on traces made here.
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "core/numbers/statistics.hpp"
#include "kernels/router.hpp"
#include "sim/expert_size.hpp"
#include "sim/replay/simulation.hpp"
#include "tests/support/expect_error.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

// Rows of one step and layer by source rank.
struct Rows {
  std::size_t experts = 0;
  std::size_t top_k = 1;
  std::vector<std::vector<std::int32_t>> ids;  // [ranks] of [tokens, k]
};

std::shared_ptr<const RoutingData> routing(const Rows& rows, std::int64_t hidden) {
  TraceColumns columns;
  std::int64_t first = 0;
  for (std::size_t rank = 0; rank < rows.ids.size(); ++rank) {
    const auto count = static_cast<std::int64_t>(rows.ids[rank].size() / rows.top_k);
    columns.chunks.push_back({0, 0, static_cast<std::int64_t>(rank), first, count});
    first += count;
    columns.expert_ids.insert(
        columns.expert_ids.end(), rows.ids[rank].begin(), rows.ids[rank].end());
  }
  TraceMetadata metadata;
  metadata.model = {.hidden = hidden,
                    .experts = static_cast<std::int64_t>(rows.experts),
                    .top_k = static_cast<std::int64_t>(rows.top_k),
                    .layers = 1,
                    .dtype = "bf16"};
  return std::make_shared<const RoutingData>(
      RoutingTrace::from_columns(metadata, std::move(columns), {"test", ""}));
}

SimulationResult run(const Rows& rows, const json& changes, std::int64_t hidden = 1024) {
  json document = {{"topology", "dgx_h100_8"},
                   {"ranks", rows.ids.size()},
                   {"model", {{"expert_hidden", 4096}}},
                   {"compute", {{"rates", "peak"}}},  // the papers' laws leave kernels out
                   {"network", "bound"}};
  document.merge_patch(changes);
  return simulate(load_scenario(document, {"test", "#"}, routing(rows, hidden)));
}

double all_bytes(const SimulationResult& result) {
  return *result.total.inter_node_bytes + *result.total.intra_node_bytes;
}

// Tokens whose expert is on another node, with `locality` added to the score of near experts.
struct Locality {
  double crossing = 0;   // share of all tokens
  double stranded = 0;   // share of crossing tokens among those on nodes without an expert
  double imbalance = 1;  // of the experts
};

Locality route_with_locality(std::size_t nodes,
                             double strength,
                             const std::vector<std::size_t>& tokens_of_node) {
  constexpr std::size_t kExperts = 16;
  Parameters parameters(json{{"locality", strength}, {"ranks", nodes}, {"ranks_per_node", 1}},
                        {"test", ""});
  const auto router = Registry<Router>::instance().create("locmoe", "router", parameters);
  const Matrix<float> gate(kExperts, 256);
  std::vector<double> loads(kExperts, 0);
  double tokens = 0;
  double crossing = 0;
  double stranded = 0;
  double stranded_crossing = 0;
  for (std::size_t node = 0; node < nodes; ++node) {
    Matrix<float> hidden(tokens_of_node[node], 256);
    RandomStream(7, {node}).fill_normal(hidden.values());
    const RoutingDecision decision =
        router->route({.hidden = hidden.view(),
                       .gate = gate.view(),
                       .source_rank = static_cast<std::int64_t>(node)});
    // Expert e lies on node e * nodes / 16: with 32 nodes every second one has none.
    const bool has_expert = nodes <= kExperts || node % (nodes / kExperts) == 0;
    for (const std::int32_t expert : decision.expert_ids.values()) {
      const bool is_far = static_cast<std::size_t>(expert) * nodes / kExperts != node;
      ++loads[static_cast<std::size_t>(expert)];
      tokens += 1;
      crossing += is_far ? 1 : 0;
      stranded += has_expert ? 0 : 1;
      stranded_crossing += is_far && !has_expert ? 1 : 0;
    }
  }
  return {crossing / tokens, stranded > 0 ? stranded_crossing / stranded : 0, imbalance(loads)};
}

// LOC-1: 16 experts; locality saves traffic between nodes until there are nodes without experts.
TEST(LocMoePaper, LocalityGainShrinksOnceNodesHoldNoExpert) {
  std::vector<double> gains;
  for (const std::size_t nodes : {8U, 16U, 32U}) {
    const std::vector<std::size_t> tokens(nodes, 16384 / nodes);
    const Locality plain = route_with_locality(nodes, 0, tokens);
    const Locality biased = route_with_locality(nodes, 0.4, tokens);
    gains.push_back(plain.crossing - biased.crossing);
    EXPECT_GT(gains.back(), 0) << nodes;
    if (nodes == 32) {
      EXPECT_EQ(plain.stranded, 1);
      EXPECT_EQ(biased.stranded, 1) << "nothing to stay with";
    }
  }
  EXPECT_LT(gains[2], gains[1]);
  EXPECT_NEAR(gains[2], gains[1] / 2, 0.1 * gains[1]) << "half of the nodes hold no expert";
}

// LOC-2: keeping everything local moves the imbalance of the tokens onto the experts.
TEST(LocMoePaper, FullLocalityCostsBalanceUnlessTokensAreSpreadEvenly) {
  constexpr std::size_t kNodes = 8;
  const std::vector<std::size_t> even(kNodes, 1000);
  std::vector<std::size_t> uneven(kNodes, 500);
  uneven[0] = 4500;
  EXPECT_GT(route_with_locality(kNodes, 100, uneven).imbalance,
            2 * route_with_locality(kNodes, 0, uneven).imbalance);
  EXPECT_LT(route_with_locality(kNodes, 100, even).imbalance, 1.25);
}

// The placement side of LocMoE: experts move to where their tokens are.
TEST(LocMoePlacement, BringsExpertsToTheirTokens) {
  Rows rows{.experts = 8, .top_k = 1, .ids = std::vector<std::vector<std::int32_t>>(4)};
  for (std::int32_t rank = 0; rank < 4; ++rank) {
    for (std::int32_t token = 0; token < 80; ++token) {
      // Rank r likes experts 3 - r and 7 - r.
      rows.ids[static_cast<std::size_t>(rank)].push_back(3 - rank + 4 * (token % 2));
    }
  }
  EXPECT_GT(all_bytes(run(rows, {{"placement", "contiguous"}})), 0);
  EXPECT_EQ(all_bytes(run(rows, {{"placement", "locmoe"}})), 0);
}

// MOMA-2: 4 text and 4 image experts, 90 % text tokens, every group balanced inside.
TEST(MoMaPaper, GroupedRanksFollowTheLargerGroupAndInterleavedOnesStayBalanced) {
  Rows rows{.experts = 8, .top_k = 1, .ids = std::vector<std::vector<std::int32_t>>(4)};
  for (auto& of_rank : rows.ids) {
    for (std::int32_t token = 0; token < 8000; ++token) {
      of_rank.push_back(token % 10 < 9 ? (token - token / 10) % 4 : 4 + token / 10 % 4);
    }
  }
  const auto compute = [&](const char* layout) {
    return run(rows, {{"placement", {{"name", "modality"}, {"layout", layout}}}}).total.compute_s;
  };
  const double balanced = run(rows, {{"placement", "shard_all"}}).total.compute_s;
  // Compute-bound: time follows the rows of the busiest rank. 90 % on half of the ranks is 1.8.
  EXPECT_NEAR(compute("grouped") / balanced, 1.8, 0.02);
  EXPECT_NEAR(compute("interleaved") / balanced, 1, 0.05);
}

// MoE++ tokens: top-2 of `heavy` experts with weights and `cheap` without, drawn in the ratio tau.
Rows moe_plus_plus_rows(std::size_t heavy, std::size_t cheap, double tau, std::uint64_t seed) {
  Rows rows{.experts = heavy + cheap, .top_k = 2, .ids = std::vector<std::vector<std::int32_t>>(4)};
  RandomStream random(seed, {1});
  const double share = tau * static_cast<double>(heavy) /
                       (tau * static_cast<double>(heavy) + static_cast<double>(cheap));
  const auto draw = [&] {
    return static_cast<std::int32_t>(random.uniform() < share ? random.index(heavy)
                                                              : heavy + random.index(cheap));
  };
  for (auto& of_rank : rows.ids) {
    for (int token = 0; token < 10000; ++token) {
      const std::int32_t first = draw();
      std::int32_t second = draw();
      while (second == first) {
        second = draw();
      }
      of_rank.push_back(first);
      of_rank.push_back(second);
    }
  }
  return rows;
}

// MPP-1: bytes and rows are exactly those of the choices of experts with weights.
TEST(MoePlusPlusPaper, OnlyExpertsWithWeightsTravelAndCompute) {
  const Rows rows = moe_plus_plus_rows(8, 4, 0.75, 3);
  const SimulationResult result =
      run(rows, {{"placement", "replicate_cheap"}, {"model", {{"zero_cost_experts", 4}}}});
  double travelling = 0;
  double computing = 0;
  for (std::size_t rank = 0; rank < rows.ids.size(); ++rank) {
    for (const std::int32_t expert : rows.ids[rank]) {
      computing += expert < 8 ? 1 : 0;
      travelling += expert < 8 && static_cast<std::size_t>(expert) / 2 != rank ? 1 : 0;
    }
  }
  EXPECT_EQ(all_bytes(result), 2 * travelling * 1024 * 2) << "there and back, bf16";
  const auto& loads = result.layers[0].expert_rows;
  EXPECT_EQ(std::accumulate(loads.begin(), loads.begin() + 8, 0.0), computing);
}

TEST(MoePlusPlusPaper, WithoutZeroCostExpertsItIsPlainTopTwo) {
  const Rows rows = moe_plus_plus_rows(8, 4, 0.75, 3);
  const SimulationResult plain = run(rows, {{"placement", "contiguous"}});
  const SimulationResult same = run(rows, {{"placement", "replicate_cheap"}});
  EXPECT_EQ(*plain.total.layer_s, *same.total.layer_s);
  EXPECT_EQ(all_bytes(plain), all_bytes(same));
}

// MPP-2: expert time over tau is affine in tau N / (tau N + Z), and falls with tau.
TEST(MoePlusPlusPaper, ExpertTimeFollowsTheAffineLaw) {
  const auto ratio = [](double tau) { return tau * 8 / (tau * 8 + 4); };
  const auto seconds = [&](double tau) {
    return run(moe_plus_plus_rows(8, 4, tau, 5),
               {{"placement", "replicate_cheap"},
                {"model", {{"zero_cost_experts", 4}}},
                {"compute", {{"launch_overhead", "20us"}}},
                {"capacity", {{"name", "heterogeneous"}, {"tau", tau}, {"factor", 1.1}}}})
        .total.compute_s;
  };
  const double at_least = seconds(0.1);
  const double at_one = seconds(1);
  const double slope = (at_one - at_least) / (ratio(1) - ratio(0.1));
  double before = at_least;
  for (const double tau : {0.25, 0.5, 0.75}) {
    const double time = seconds(tau);
    EXPECT_GT(time, before) << "throughput gain falls with tau";
    EXPECT_NEAR(time, at_least + slope * (ratio(tau) - ratio(0.1)), 0.1 * time) << tau;
    before = time;
  }
  EXPECT_GT(at_one, before);
}

// ETR-3: padded exchanges and experts follow the capacity factor exactly.
TEST(EtrPaper, CapacityCutsPaddedBytesAndRowsByTheSameShare) {
  Rows rows{.experts = 8, .top_k = 1, .ids = std::vector<std::vector<std::int32_t>>(8)};
  RandomStream random(2, {1});
  for (auto& of_rank : rows.ids) {
    for (int token = 0; token < 8000; ++token) {
      of_rank.push_back(static_cast<std::int32_t>(random.index(8)));
    }
  }
  const auto at = [&](double factor) {
    return run(rows, {{"capacity", {{"name", "drop_and_pad"}, {"factor", factor}}}}, 4096);
  };
  const SimulationResult wide = at(1.1);
  const SimulationResult narrow = at(0.66);
  EXPECT_EQ(all_bytes(narrow) / all_bytes(wide), 0.6);
  for (std::size_t expert = 0; expert < 8; ++expert) {
    EXPECT_EQ(narrow.layers[0].expert_rows[expert] * 10, wide.layers[0].expert_rows[expert] * 6);
  }
  // A step in which this layer is 13.5 % gets 5.4 % shorter; latency and weights do not shrink.
  const double moe = *wide.total.layer_s;
  const double step = moe / 0.135;
  EXPECT_NEAR((moe - *narrow.total.layer_s) / step, 0.054, 0.001);
}

// SHD, placement side: no skew reaches the ranks, and every token goes everywhere once.
TEST(MoEShardPaper, RanksAreBalancedWhateverTheRoutingAndVolumeIsFixed) {
  Rows skewed{.experts = 16, .top_k = 2, .ids = std::vector<std::vector<std::int32_t>>(4)};
  for (auto& of_rank : skewed.ids) {
    for (int token = 0; token < 300; ++token) {
      of_rank.insert(of_rank.end(), {0, 1 + token % 2});
    }
  }
  for (const json& exchange :
       {json("allgather_reduce_scatter"), json{{"name", "direct"}, {"once_per_rank", true}}}) {
    const SimulationResult result =
        run(skewed,
            {{"placement", "shard_all"},
             {"all_to_all", {{"dispatch", exchange}, {"combine", exchange}}}},
            768);
    EXPECT_EQ(result.total.rank_imbalance, 1);
    // 2 (G - 1) T h b a rank.
    EXPECT_EQ(all_bytes(result), 4 * 2 * 3 * 300 * 768 * 2) << exchange.dump();
  }
  EXPECT_GT(run(skewed, {{"placement", "contiguous"}}, 768).total.rank_imbalance, 3);
}

// MPOE: 768 x 3072 as five tensors, the central one shared.
TEST(MpoePaper, PrivateWeightsShrinkToTheAuxiliaryShareAndTrafficDoesNot) {
  const json mpo = {{"hidden", 768},
                    {"expert_hidden", 3072},
                    {"gated", false},
                    {"weights", "mpo"},
                    {"mpo_input", {3, 4, 4, 4, 4}},
                    {"mpo_output", {4, 4, 8, 6, 4}}};
  json ignored;
  const ModelCost model = read_model(mpo, {.experts = 8, .top_k = 1}, {"test", "#"}, ignored);
  const ExpertSize size = expert_size(model);
  // Bonds 12, 192, 384, 16: tensors of 144, 36864, [2359296], 147456 and 256 elements.
  EXPECT_EQ(size.private_bytes, 2 * 2 * (144 + 36864 + 147456 + 256));
  EXPECT_EQ(size.shared_bytes, 2 * 2 * 2359296);
  const double auxiliary = static_cast<double>(size.private_bytes) /
                           static_cast<double>(size.private_bytes + size.shared_bytes);
  EXPECT_NEAR(auxiliary, 0.0726, 1e-4);

  Rows rows{.experts = 8, .top_k = 1, .ids = std::vector<std::vector<std::int32_t>>(4)};
  for (auto& of_rank : rows.ids) {
    for (std::int32_t token = 0; token < 100; ++token) {
      of_rank.push_back(token % 8);
    }
  }
  json full = mpo;
  full["weights"] = "full";
  EXPECT_EQ(all_bytes(run(rows, {{"model", mpo}}, 768)),
            all_bytes(run(rows, {{"model", full}}, 768)));
}

TEST(MpoePaper, RefusesFactorsThatMissTheWidths) {
  json ignored;
  const json wrong = {{"hidden", 768},
                      {"expert_hidden", 3072},
                      {"weights", "mpo"},
                      {"mpo_input", {3, 4, 4}},
                      {"mpo_output", {4, 4, 8}}};
  testing::expect_error<InvalidInput>(
      [&] {
        (void)read_model(wrong, {.experts = 8, .top_k = 1}, {"test", "#"}, ignored);
      },
      "3 x 4 x 4 multiply to 48, not 768");
}

// MoR1E: adapters are so small that every rank has all of them: nothing travels.
TEST(MoR1EPaper, AdaptersOnEveryRankNeedNoAllToAll) {
  Rows rows{.experts = 8, .top_k = 1, .ids = std::vector<std::vector<std::int32_t>>(4)};
  for (std::size_t rank = 0; rank < rows.ids.size(); ++rank) {
    rows.ids[rank].assign(50, static_cast<std::int32_t>((5 * rank + 3) % 8));  // a sequence a rank
  }
  const json adapters = {{"placement", {{"name", "replicate_cheap"}, {"cheap", 8}}},
                         {"model", {{"weights", "rank_one"}}}};
  const SimulationResult result = run(rows, adapters);
  EXPECT_EQ(all_bytes(result), 0);
  EXPECT_LT(result.total.compute_s, run(rows, json::object()).total.compute_s / 100);
  json ignored;
  const ModelCost model = read_model(
      {{"hidden", 1024}, {"expert_hidden", 4096}, {"gated", false}, {"weights", "rank_one"}},
      {.experts = 8, .top_k = 1},
      {"test", "#"},
      ignored);
  EXPECT_EQ(expert_size(model).private_bytes, 2 * (1024 + 4096) * 2);
}

}  // namespace
}  // namespace switchyard
