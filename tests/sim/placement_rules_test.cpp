// The placement rules one by one: published examples, layouts, and refusals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/numbers/statistics.hpp"
#include "sim/balancing/eplb.hpp"
#include "sim/balancing/packing.hpp"
#include "sim/exchange/expert_ranks.hpp"
#include "sim/placement.hpp"
#include "tests/support/expect_error.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using testing::expect_error;

const Fabric& one_node() {
  static const Fabric kFabric = load_topology("dgx_h100_8");
  return kFabric;
}

const Fabric& eight_nodes() {
  static const Fabric kFabric = load_topology("hgx_h100_rail_64");
  return kFabric;
}

ExpertLoad load_of(const std::vector<std::vector<std::int64_t>>& layers) {
  ExpertLoad load;
  load.counts = Matrix<std::int64_t>(layers.size(), layers.front().size());
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    load.rows.push_back({0, static_cast<std::int64_t>(layer), -1});
    std::copy(layers[layer].begin(), layers[layer].end(), load.counts.row(layer).begin());
  }
  return load;
}

Placement place(const std::string& name, const json& parameters, const PlacementInput& input) {
  Parameters values(parameters, {"test", "#/placement"});
  const auto rule = Registry<PlacementRule>::instance().create(name, "placement", values);
  Placement placement = rule->place(input);
  check_placement(placement, input);
  return placement;
}

std::vector<double> rank_loads(const LayerPlacement& layer,
                               const std::vector<std::int64_t>& loads,
                               std::size_t ranks) {
  std::vector<double> copies(loads.size(), 0);
  for (const std::int32_t expert : layer.slot_to_expert) {
    ++copies[static_cast<std::size_t>(expert)];
  }
  std::vector<double> sums(ranks, 0);
  for (std::size_t slot = 0; slot < layer.slot_to_rank.size(); ++slot) {
    const auto expert = static_cast<std::size_t>(layer.slot_to_expert[slot]);
    sums[static_cast<std::size_t>(layer.slot_to_rank[slot])] +=
        static_cast<double>(loads[expert]) / copies[expert];
  }
  return sums;
}

// The example in the README of deepseek-ai/EPLB: two layers of 12 experts, 16 slots, 4 groups,
// 2 nodes, 8 GPUs, and the phy2log that it prints.
const std::vector<std::vector<std::int64_t>> kPublishedLoads{
    {90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86},
    {20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27}};
const std::vector<std::vector<std::int32_t>> kPublishedSlots{
    {5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1},
    {7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1}};

TEST(Eplb, GivesThePublishedAnswerToThePublishedExample) {
  for (std::size_t layer = 0; layer < kPublishedLoads.size(); ++layer) {
    const std::vector<float> loads(kPublishedLoads[layer].begin(), kPublishedLoads[layer].end());
    EXPECT_THAT(eplb_layer(loads, {.slots = 16, .groups = 4, .nodes = 2, .ranks = 8}),
                ElementsAreArray(kPublishedSlots[layer]));
  }
}

TEST(Eplb, FallsBackToOneGroupWhereGroupsDoNotDivideOverTheNodes) {
  const std::vector<float> loads(kPublishedLoads[0].begin(), kPublishedLoads[0].end());
  EXPECT_EQ(eplb_layer(loads, {.slots = 16, .groups = 3, .nodes = 2, .ranks = 8}),
            eplb_layer(loads, {.slots = 16, .groups = 1, .nodes = 1, .ranks = 8}));
}

TEST(Eplb, BalancesOneHotExpertWithReplicas) {
  std::vector<std::int64_t> loads(64, 10);
  loads[7] = 1000;
  const ExpertLoad load = load_of({loads});
  const PlacementInput input{
      .experts = 64, .ranks = 8, .layers = {0}, .fabric = &one_node(), .load = &load};
  const auto without = place("eplb", json::object(), input).layers[0];
  const auto with = place("eplb", {{"redundant", 8}}, input).layers[0];
  EXPECT_GT(imbalance(rank_loads(without, loads, 8)), 4);
  // 1000 over nine copies: a rank has 111 or 222 of them and up to 80 of others.
  EXPECT_LT(imbalance(rank_loads(with, loads, 8)), 1.5);
}

TEST(Eplb, RefusesSizesThatClash) {
  const ExpertLoad load = load_of({std::vector<std::int64_t>(12, 1)});
  PlacementInput input{
      .experts = 12, .ranks = 8, .layers = {0}, .fabric = &one_node(), .load = &load};
  expect_error<InvalidInput>(
      [&] {
        (void)place("eplb", {{"groups", 5}}, input);
      },
      "12 experts are no 5 groups of equal size");
  input.ranks = 64;
  input.fabric = &eight_nodes();
  expect_error<InvalidInput>([&] { (void)place("eplb", json::object(), input); },
                             "12 experts and 0 redundant copies are too few for 64 ranks");
  expect_error<InvalidInput>(
      [&] {
        (void)place("eplb", {{"redundant", 52}, {"groups", 4}, {"mode", "hierarchical"}}, input);
      },
      "4 groups of experts do not divide over 8 nodes");
}

TEST(Packing, ClosesFullPacksAndKeepsSizesEven) {
  const Packing packing = pack_evenly(std::vector<float>{9, 1, 1, 1, 1}, 2);
  // 9 | then the light pack fills to its share of three, the last one must join the heavy pack.
  EXPECT_THAT(packing.pack, ElementsAre(0, 1, 1, 1, 0));
  EXPECT_THAT(packing.index_in_pack, ElementsAre(0, 0, 1, 2, 1));
}

TEST(Greedy, PutsTheTwoHeaviestApart) {
  const ExpertLoad load = load_of({{5, 5, 1, 1, 1, 1, 1, 1}});
  const PlacementInput input{
      .experts = 8, .ranks = 2, .layers = {0}, .fabric = &one_node(), .load = &load};
  const auto layer = place("greedy", json::object(), input).layers[0];
  EXPECT_NE(layer.slot_to_rank[0], layer.slot_to_rank[1]);
  EXPECT_EQ(imbalance(rank_loads(layer, {5, 5, 1, 1, 1, 1, 1, 1}, 2)), 1);
}

TEST(Greedy, LooksAtTheStepsInSightOnly) {
  ExpertLoad load = load_of({{9, 9, 1, 1}});
  load.rows = {{0, 0, -1}, {1, 0, -1}};
  load.counts = Matrix<std::int64_t>(2, 4);
  const std::int64_t counts[] = {9, 9, 1, 1, 1, 99, 1, 99};
  std::copy(std::begin(counts), std::end(counts), load.counts.values().begin());
  PlacementInput input{
      .experts = 4, .ranks = 2, .layers = {0}, .fabric = &one_node(), .load = &load};
  input.steps = {0, 0};
  const auto first = place("greedy", json::object(), input).layers[0].slot_to_rank;
  EXPECT_NE(first[0], first[1]);
  input.steps = {1, 1};
  const auto second = place("greedy", json::object(), input).layers[0].slot_to_rank;
  EXPECT_NE(second[1], second[3]);
}

TEST(Random, DependsOnSeedDrawAndLayer) {
  PlacementInput input{.experts = 64, .ranks = 8, .layers = {0, 1}, .fabric = &one_node()};
  const Placement first = place("random", json::object(), input);
  EXPECT_NE(first.layers[0], first.layers[1]);
  EXPECT_NE(first.layers, place("random", {{"draw", 1}}, input).layers);
  input.seed = 9;
  EXPECT_NE(first.layers, place("random", json::object(), input).layers);
}

TEST(Modality, GroupsOrInterleaves) {
  const PlacementInput input{.experts = 8, .ranks = 4, .layers = {0}, .fabric = &one_node()};
  // Experts 0-3 are text, 4-7 image.
  const auto mixed = place("modality", json::object(), input).layers[0];
  EXPECT_THAT(mixed.slot_to_expert, ElementsAre(0, 4, 1, 5, 2, 6, 3, 7));
  EXPECT_THAT(mixed.slot_to_rank, ElementsAre(0, 0, 1, 1, 2, 2, 3, 3));
  const auto apart = place("modality", {{"layout", "grouped"}}, input).layers[0];
  EXPECT_THAT(apart.slot_to_expert, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  expect_error<InvalidInput>(
      [&] {
        (void)place("modality", {{"groups", 8}, {"layout", "grouped"}}, input);
      },
      "8 groups cannot each have as many of 4 ranks");
}

TEST(ReplicateCheap, PutsWeightlessExpertsEverywhere) {
  const PlacementInput input{
      .experts = 6, .ranks = 2, .layers = {0}, .fabric = &one_node(), .zero_cost_experts = 2};
  const auto layer = place("replicate_cheap", json::object(), input).layers[0];
  const ExpertRanks ranks(layer, 6, one_node(), 2);
  for (const std::size_t source : {0U, 1U}) {
    EXPECT_EQ(ranks.rank_of(source, 4), static_cast<std::int32_t>(source));
    EXPECT_EQ(ranks.rank_of(source, 5), static_cast<std::int32_t>(source));
    EXPECT_EQ(ranks.rank_of(source, 0), 0);
    EXPECT_EQ(ranks.rank_of(source, 3), 1);
  }
  expect_error<InvalidInput>(
      [&] {
        (void)place("replicate_cheap", {{"cheap", 7}}, input);
      },
      "7 experts cannot be cheap: there are 6");
}

// Expert 0 on ranks 1 and 9 (two nodes), every other expert on rank 0.
ExpertRanks replicated(ReplicaChoice choice) {
  return {{.slot_to_expert = {0, 0, 1}, .slot_to_rank = {9, 1, 0}}, 2, eight_nodes(), 16, choice};
}

TEST(ReplicaChoice, NearestIsTheOwnRankThenTheOwnNode) {
  const ExpertRanks ranks = replicated(ReplicaChoice::Nearest);
  EXPECT_EQ(ranks.rank_of(9, 0), 9);
  EXPECT_EQ(ranks.rank_of(3, 0), 1);
  EXPECT_EQ(ranks.rank_of(12, 0), 9);
}

TEST(ReplicaChoice, RoundRobinTakesTurns) {
  const ExpertRanks ranks = replicated(ReplicaChoice::RoundRobin);
  ReplicaCursor cursor(ranks, 16);
  EXPECT_EQ(cursor.next(0, 0), 1);
  EXPECT_EQ(cursor.next(0, 0), 9);
  EXPECT_EQ(cursor.next(0, 0), 1);
  EXPECT_EQ(cursor.next(1, 0), 9) << "another source starts elsewhere";
  std::vector<std::int64_t> rows(16, 0);
  cursor.spread(0, 0, 5, rows);
  EXPECT_EQ(rows[1], 3);
  EXPECT_EQ(rows[9], 2);
}

TEST(ReplicaChoice, LeastLoadedLevelsTheRanks) {
  const ExpertRanks ranks = replicated(ReplicaChoice::LeastLoaded);
  ReplicaCursor cursor(ranks, 16);
  for (int pair = 0; pair < 3; ++pair) {
    (void)cursor.next(3, 0);  // nearest first, then the other: 1, 9, 1
  }
  std::vector<std::int64_t> rows(16, 0);
  cursor.spread(0, 0, 5, rows);  // 2 and 1 there already: level at 4 each
  EXPECT_EQ(rows[1], 2);
  EXPECT_EQ(rows[9], 3);
}

}  // namespace
}  // namespace switchyard
