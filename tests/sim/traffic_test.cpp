#include "sim/exchange/traffic.hpp"

#include <numeric>
#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sim/exchange/bit_histogram.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

const Fabric& fabric() {
  static const Fabric kFabric = load_topology("hgx_h100_rail_64");
  return kFabric;
}

// Expert e on rank e mod ranks.
LayerPlacement dealt(std::size_t experts, std::size_t ranks) {
  LayerPlacement placement;
  for (std::size_t expert = 0; expert < experts; ++expert) {
    placement.slot_to_expert.push_back(static_cast<std::int32_t>(expert));
    placement.slot_to_rank.push_back(static_cast<std::int32_t>(expert % ranks));
  }
  return placement;
}

TEST(TrafficCounter, CountsATokenOncePerRankAndNode) {
  // 16 ranks on 2 nodes; token 0 of rank 0 goes to experts on ranks 1, 1 and 9.
  const ExpertRanks experts(dealt(32, 16), 32, fabric(), 16);
  TrafficCounter counter(experts, fabric(), 16, 32);
  Matrix<std::int32_t> ids(1, 3);
  ids(0, 0) = 1;
  ids(0, 1) = 17;
  ids(0, 2) = 9;
  const std::vector<std::int32_t> source{0};
  counter.add(ids, source);
  const TrafficMatrix traffic = counter.take();
  EXPECT_EQ(traffic.copies(0, 1), 2);
  EXPECT_EQ(traffic.unique_rank_tokens(0, 1), 1);
  EXPECT_EQ(traffic.unique_rank_tokens(0, 9), 1);
  EXPECT_EQ(traffic.unique_node_tokens(0, 0), 1);
  EXPECT_EQ(traffic.unique_node_tokens(0, 1), 1);
  EXPECT_EQ(traffic.expert_rows(1, 17), 1);
  EXPECT_EQ(traffic.rank_tokens[0], 1);
}

RC_GTEST_PROP(TrafficCounter, AgreesWithCountingByHand, ()) {
  const auto ranks = *rc::gen::inRange<std::size_t>(1, 40);
  const auto experts_count = *rc::gen::inRange<std::size_t>(ranks, 80);
  const auto rows = *rc::gen::inRange<std::size_t>(0, 50);
  const auto top_k = *rc::gen::inRange<std::size_t>(1, 6);
  Matrix<std::int32_t> ids(rows, top_k);
  std::vector<std::int32_t> source;
  for (std::size_t row = 0; row < rows; ++row) {
    source.push_back(*rc::gen::inRange<std::int32_t>(0, static_cast<std::int32_t>(ranks)));
    for (std::size_t choice = 0; choice < top_k; ++choice) {
      ids(row, choice) =
          *rc::gen::inRange<std::int32_t>(-1, static_cast<std::int32_t>(experts_count));
    }
  }
  const ExpertRanks experts(dealt(experts_count, ranks), experts_count, fabric(), ranks);
  TrafficCounter counter(experts, fabric(), ranks, experts_count);
  counter.add(ids, source);
  const TrafficMatrix traffic = counter.take();

  Matrix<std::int64_t> copies(ranks, ranks);
  Matrix<std::int64_t> unique(ranks, ranks);
  for (std::size_t row = 0; row < rows; ++row) {
    std::set<std::size_t> seen;
    for (const std::int32_t id : ids.row(row)) {
      if (id >= 0) {
        const std::size_t rank = static_cast<std::size_t>(id) % ranks;
        ++copies(static_cast<std::size_t>(source[row]), rank);
        seen.insert(rank);
      }
    }
    for (const std::size_t rank : seen) {
      ++unique(static_cast<std::size_t>(source[row]), rank);
    }
  }
  RC_ASSERT(traffic.copies == copies);
  RC_ASSERT(traffic.unique_rank_tokens == unique);
}

RC_GTEST_PROP(BitHistogram, CountsEveryBitOfEveryWord, ()) {
  const auto words = *rc::gen::container<std::vector<std::uint64_t>>(
      *rc::gen::element<std::size_t>(0, 1, 15, 16, 17, 251, 252, 253, 700),
      rc::gen::arbitrary<std::uint64_t>());
  std::vector<std::int64_t> expected(64, 5);
  std::vector<std::int64_t> counts(64, 5);
  BitHistogram histogram;
  for (const std::uint64_t word : words) {
    histogram.add(word);
    for (std::size_t bit = 0; bit < 64; ++bit) {
      expected[bit] += static_cast<std::int64_t>(word >> bit & 1U);
    }
  }
  histogram.take(counts);
  RC_ASSERT(counts == expected);
  histogram.take(counts);
  RC_ASSERT(counts == expected);  // it starts anew
}

TEST(Exchange, CombineIsTheTransposeOfDispatch) {
  const ExpertRanks experts(dealt(16, 16), 16, fabric(), 16);
  TrafficCounter counter(experts, fabric(), 16, 16);
  Matrix<std::int32_t> ids(2, 1);
  ids(0, 0) = 9;
  ids(1, 0) = 3;
  const std::vector<std::int32_t> source{0, 12};
  counter.add(ids, source);
  const TrafficMatrix traffic = counter.take();
  const TokenBytes bytes{.dispatch = 100, .combine = 200};
  const Exchange there = exchange_of(traffic, bytes, Direction::Dispatch, fabric());
  const Exchange back = exchange_of(traffic, bytes, Direction::Combine, fabric());
  EXPECT_EQ(there.copy_bytes(0, 9), 100);
  EXPECT_EQ(there.token_bytes.at(12), 100);
  EXPECT_EQ(back.copy_bytes(9, 0), 200);
  EXPECT_EQ(there.node_bytes(0, 1), 100);  // rank 0 to node 1
  EXPECT_EQ(back.node_bytes(12, 0), 200);  // node 0 back to rank 12
}

TEST(ExpertRanks, PreferTheReplicaOnTheOwnRankThenOnTheOwnNode) {
  LayerPlacement placement = dealt(16, 16);
  placement.slot_to_expert.push_back(0);  // a second copy of expert 0, on rank 10 (node 1)
  placement.slot_to_rank.push_back(10);
  const ExpertRanks experts(placement, 16, fabric(), 16);
  EXPECT_EQ(experts.rank_of(3, 0), 0);
  EXPECT_EQ(experts.rank_of(10, 0), 10);
  EXPECT_EQ(experts.rank_of(12, 0), 10);
  EXPECT_TRUE(experts.single_ranks().empty());
}

TEST(PaddedTraffic, DependsOnSlotsAlone) {
  const ExpertRanks experts(dealt(4, 2), 4, fabric(), 2);
  TrafficCounter counter(experts, fabric(), 2, 4);
  const std::vector<std::int64_t> slots{3, 5};
  counter.pad_to(slots);
  const TrafficMatrix traffic = counter.take();
  EXPECT_EQ(traffic.copies(0, 1), 2 * 3);
  EXPECT_EQ(traffic.copies(1, 0), 2 * 5);
  EXPECT_EQ(traffic.expert_rows(0, 0), 8);
  EXPECT_TRUE(traffic.unique_rank_tokens.empty());
}

}  // namespace
}  // namespace switchyard
