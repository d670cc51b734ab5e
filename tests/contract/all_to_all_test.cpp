// What every all-to-all algorithm owes the networks, over the registry: a new file is tested the
// day it arrives.
#include "sim/all_to_all.hpp"

#include <gtest/gtest.h>

#include "core/numbers/random.hpp"
#include "tests/support/networks/deliveries.hpp"

namespace switchyard {
namespace {

using testing::exchange_from;
using testing::misdelivery;
using testing::traceable_blocks;

class EveryAllToAll : public ::testing::TestWithParam<std::string> {
 protected:
  static std::unique_ptr<AllToAll> algorithm() {
    Parameters defaults = Parameters::describing();
    return Registry<AllToAll>::instance().create(GetParam(), "all-to-all", defaults);
  }

  /// Checks the schedule's own promises; answers it for more.
  static Schedule checked(const Exchange& exchange) {
    Schedule schedule = algorithm()->schedule(exchange);
    EXPECT_NO_THROW(check_schedule(schedule));
    EXPECT_EQ(schedule.rank_count, exchange.rank_count());
    return schedule;
  }
};

std::vector<std::vector<std::int32_t>> node_layouts() {
  return {{0, 0, 0, 0, 0, 0},
          {0, 0, 0, 1, 1, 1},
          {0, 0, 1, 1, 2, 2},
          {0, 1, 2, 3, 4, 5},
          {0, 0, 0, 0, 1, 1},
          {0, 1, 1, 1, 1},
          {0, 0, 0, 1, 1},
          {0, 0, 1, 1, 1, 1, 2},
          {0, 0, 0, 0, 1},
          {0, 0},
          {0, 1}};
}

TEST_P(EveryAllToAll, DeliversEachBlockExactlyOnce) {
  const auto subject = algorithm();
  // Copying, adding up and padding on the way: only the schedule's own promises hold here, the
  // rest is in tests/sim/all_to_all/forwarding_test.cpp.
  const bool moves_other_bytes =
      subject->sends_surplus() || subject->deduplication() == Deduplication::PerNode;
  for (const auto& layout : node_layouts()) {
    for (const Direction direction : {Direction::Dispatch, Direction::Combine}) {
      const Matrix<std::int64_t> blocks = traceable_blocks(layout.size());
      const Schedule schedule = checked(exchange_from(blocks, layout, direction));
      Matrix<std::int64_t> off_diagonal = blocks;
      for (std::size_t rank = 0; rank < layout.size(); ++rank) {
        off_diagonal(rank, rank) = 0;
      }
      // Straight from source to destination, perhaps in pieces?
      if (moves_other_bytes || bytes_between_ranks(schedule) == off_diagonal) {
        continue;
      }
      EXPECT_EQ(misdelivery(schedule, blocks), "") << ::testing::PrintToString(layout);
    }
  }
}

TEST_P(EveryAllToAll, HandlesNothingToMove) {
  EXPECT_EQ(checked(exchange_from(Matrix<std::int64_t>(6, 6), {0, 0, 0, 1, 1, 1})).transfer_count(),
            0U);
  EXPECT_EQ(checked(exchange_from(Matrix<std::int64_t>(0, 0), {})).transfer_count(), 0U);
  EXPECT_EQ(checked(exchange_from(Matrix<std::int64_t>(1, 1, 99), {0})).transfer_count(), 0U);
}

TEST_P(EveryAllToAll, MovesAHotColumnWithoutInventingBytes) {
  Matrix<std::int64_t> bytes(8, 8);
  for (std::size_t source = 0; source < 8; ++source) {
    bytes(source, 3) = 1000;
  }
  const Schedule schedule = checked(exchange_from(bytes, {0, 0, 0, 0, 1, 1, 1, 1}));
  std::int64_t into_hot_rank = 0;
  std::int64_t out_of_hot_rank = 0;
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    into_hot_rank += schedule.destination[i] == 3 ? schedule.bytes[i] : 0;
    out_of_hot_rank += schedule.source[i] == 3 ? schedule.bytes[i] : 0;
  }
  if (algorithm()->sends_surplus()) {
    EXPECT_GE(into_hot_rank, 7000);
  } else {
    EXPECT_EQ(into_hot_rank - out_of_hot_rank, 7000);
  }
}

TEST_P(EveryAllToAll, IsAPureFunction) {
  RandomStream random(7, {1});
  Matrix<std::int64_t> bytes(12, 12);
  for (std::int64_t& value : bytes.values()) {
    value = static_cast<std::int64_t>(random.index(4) == 0 ? 0 : random.index(100000));
  }
  const Exchange exchange = exchange_from(bytes, {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2});
  const Schedule first = checked(exchange);
  const Schedule second = checked(exchange);
  EXPECT_EQ(first.source, second.source);
  EXPECT_EQ(first.destination, second.destination);
  EXPECT_EQ(first.bytes, second.bytes);
  EXPECT_EQ(first.dependencies, second.dependencies);
}

TEST_P(EveryAllToAll, RefusesOrRunsWithoutTokenIds) {
  Exchange exchange = exchange_from(Matrix<std::int64_t>(4, 4, 10), {0, 0, 1, 1});
  exchange.rank_bytes = {};
  exchange.node_bytes = {};
  exchange.token_bytes = {};
  try {
    (void)checked(exchange);
  } catch (const MissingCapability& error) {
    EXPECT_FALSE(error.hint().empty());
  }
}

INSTANTIATE_TEST_SUITE_P(AllToAll,
                         EveryAllToAll,
                         ::testing::ValuesIn(Registry<AllToAll>::instance().names()),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace switchyard
