// The algorithms whose promise the contract test cannot state: those that copy, add up, pad or
// gather. Each block is a power of two, so sizes tell what a transfer carries.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "sim/all_to_all.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/networks/deliveries.hpp"

namespace switchyard {
namespace {

using testing::exchange_from;
using testing::traceable_blocks;

Schedule schedule_by(const std::string& name,
                     const Exchange& exchange,
                     const nlohmann::json& values = nlohmann::json::object()) {
  Parameters parameters(values, {});
  Schedule schedule =
      Registry<AllToAll>::instance().create(name, "all-to-all", parameters)->schedule(exchange);
  check_schedule(schedule);
  return schedule;
}

/// Everything transfer `waiting` waits for, directly or not.
std::set<std::uint32_t> ancestors(const Schedule& schedule, std::uint32_t waiting) {
  std::set<std::uint32_t> all;
  std::vector<std::uint32_t> open{waiting};
  while (!open.empty()) {
    const std::uint32_t next = open.back();
    open.pop_back();
    for (const std::uint32_t earlier : schedule.dependencies_of(next)) {
      if (all.insert(earlier).second) {
        open.push_back(earlier);
      }
    }
  }
  return all;
}

/// The only transfer of `bytes`, as an index.
std::uint32_t transfer_of(const Schedule& schedule, std::int64_t bytes) {
  EXPECT_EQ(std::ranges::count(schedule.bytes, bytes), 1) << bytes;
  return static_cast<std::uint32_t>(std::ranges::find(schedule.bytes, bytes) -
                                    schedule.bytes.begin());
}

std::int64_t node_block(std::size_t token_rank, std::size_t node) {
  return std::int64_t{1} << (30 + 3 * token_rank + node);
}

/// Six ranks, per-rank blocks 2^0.., per-node blocks 2^30...
Exchange traceable_nodes(const std::vector<std::int32_t>& layout, Direction direction) {
  Exchange exchange = exchange_from(traceable_blocks(layout.size()), layout, direction);
  for (std::size_t rank = 0; rank < layout.size(); ++rank) {
    for (std::size_t node = 0; node < exchange.node_bytes.columns(); ++node) {
      const bool is_own = static_cast<std::size_t>(layout[rank]) == node;
      exchange.node_bytes(rank, node) = is_own ? 0 : node_block(rank, node);
    }
  }
  return exchange;
}

class NodeDedup : public ::testing::TestWithParam<std::vector<std::int32_t>> {};

TEST_P(NodeDedup, DispatchCrossesOncePerNodeAndForwardsInside) {
  const auto& layout = GetParam();
  const Exchange exchange = traceable_nodes(layout, Direction::Dispatch);
  const Schedule schedule = schedule_by("node_dedup", exchange, {{"chunks", 1}});
  std::size_t expected = 0;
  for (std::size_t source = 0; source < layout.size(); ++source) {
    std::map<std::int32_t, std::uint32_t> arrivals;  // node -> transfer
    for (std::int32_t node = 0; node < 3; ++node) {
      if (node != layout[source]) {
        const auto across =
            transfer_of(schedule, node_block(source, static_cast<std::size_t>(node)));
        EXPECT_EQ(schedule.source[across], static_cast<std::int32_t>(source));
        EXPECT_EQ(layout[static_cast<std::size_t>(schedule.destination[across])], node);
        EXPECT_TRUE(ancestors(schedule, across).empty());
        arrivals[node] = across;
        ++expected;
      }
    }
    for (std::size_t destination = 0; destination < layout.size(); ++destination) {
      if (destination == source) {
        continue;
      }
      const auto rank = static_cast<std::int32_t>(destination);
      const bool is_inside = layout[destination] == layout[source];
      if (!is_inside && schedule.destination[arrivals[layout[destination]]] == rank) {
        continue;  // the forwarder keeps its own part
      }
      const auto last = transfer_of(schedule, exchange.rank_bytes(source, destination));
      EXPECT_EQ(schedule.destination[last], rank);
      ++expected;
      if (!is_inside) {
        EXPECT_EQ(schedule.source[last], schedule.destination[arrivals[layout[destination]]]);
        EXPECT_TRUE(ancestors(schedule, last).contains(arrivals[layout[destination]]));
      }
    }
  }
  EXPECT_EQ(schedule.transfer_count(), expected);
}

TEST_P(NodeDedup, CombineAddsUpBeforeItCrosses) {
  const auto& layout = GetParam();
  const Exchange exchange = traceable_nodes(layout, Direction::Combine);
  const Schedule schedule = schedule_by("node_dedup", exchange, {{"chunks", 1}});
  for (std::size_t owner = 0; owner < layout.size(); ++owner) {
    for (std::int32_t node = 0; node < 3; ++node) {
      if (node == layout[owner]) {
        continue;
      }
      const auto across = transfer_of(schedule, node_block(owner, static_cast<std::size_t>(node)));
      EXPECT_EQ(schedule.destination[across], static_cast<std::int32_t>(owner));
      const auto forwarder = static_cast<std::size_t>(schedule.source[across]);
      EXPECT_EQ(layout[forwarder], node);
      for (std::size_t expert_rank = 0; expert_rank < layout.size(); ++expert_rank) {
        if (layout[expert_rank] == node && expert_rank != forwarder) {
          const auto part = transfer_of(schedule, exchange.rank_bytes(expert_rank, owner));
          EXPECT_EQ(schedule.destination[part], static_cast<std::int32_t>(forwarder));
          EXPECT_TRUE(ancestors(schedule, across).contains(part));
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts,
                         NodeDedup,
                         ::testing::Values(std::vector<std::int32_t>{0, 0, 1, 1, 2, 2},
                                           std::vector<std::int32_t>{0, 0, 0, 1, 1, 2},
                                           std::vector<std::int32_t>{2, 1, 1, 0, 1, 2}));

TEST(NodeDedupChunks, MoveTheSameBytesInMorePieces) {
  const Exchange exchange =
      exchange_from(Matrix<std::int64_t>(8, 8, 1001), {0, 0, 0, 0, 1, 1, 1, 1});
  for (const Direction direction : {Direction::Dispatch, Direction::Combine}) {
    Exchange directed = exchange;
    directed.direction = direction;
    const Schedule whole = schedule_by("node_dedup", directed, {{"chunks", 1}});
    const Schedule pieces = schedule_by("node_dedup", directed, {{"chunks", 4}});
    EXPECT_EQ(bytes_between_ranks(whole), bytes_between_ranks(pieces));
    EXPECT_GT(pieces.transfer_count(), 2 * whole.transfer_count());
  }
}

TEST(NodeDedupChunks, SurviveStreamsShorterThanTheirNumber) {
  const Exchange exchange = exchange_from(Matrix<std::int64_t>(4, 4, 1), {0, 0, 1, 1});
  const Schedule schedule = schedule_by("node_dedup", exchange, {{"chunks", 7}});
  EXPECT_EQ(bytes_between_ranks(schedule),
            bytes_between_ranks(schedule_by("node_dedup", exchange, {{"chunks", 1}})));
}

TEST(AllgatherReduceScatter, GivesEveryRankEveryToken) {
  for (const Direction direction : {Direction::Dispatch, Direction::Combine}) {
    Exchange exchange = exchange_from(traceable_blocks(5), {0, 0, 0, 1, 1}, direction);
    for (std::size_t rank = 0; rank < 5; ++rank) {
      exchange.token_bytes[rank] = std::int64_t{1} << rank;
    }
    const Schedule schedule = schedule_by("allgather_reduce_scatter", exchange);
    EXPECT_EQ(schedule.transfer_count(), 20U);
    for (std::uint32_t i = 0; i < schedule.transfer_count(); ++i) {
      // The owner's block leaves it first (gather), or reaches it last (sum), after all other hops.
      const std::int64_t owner_bit = schedule.bytes[i];
      const bool is_dispatch = direction == Direction::Dispatch;
      const auto end = is_dispatch ? schedule.source[i] : schedule.destination[i];
      if (owner_bit != std::int64_t{1} << end) {
        continue;
      }
      std::int64_t hops_before = 0;
      for (const std::uint32_t earlier : ancestors(schedule, i)) {
        hops_before += schedule.bytes[earlier] == owner_bit ? 1 : 0;
      }
      EXPECT_EQ(hops_before, is_dispatch ? 0 : 3);
    }
    for (std::size_t rank = 0; rank < 5; ++rank) {
      std::int64_t received = 0;
      for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
        received +=
            schedule.destination[i] == static_cast<std::int32_t>(rank) ? schedule.bytes[i] : 0;
      }
      if (direction == Direction::Dispatch) {
        EXPECT_EQ(received, 31 - (1 << rank));
      } else {
        // All sums but the one that starts at the next rank's left neighbour pass through.
        EXPECT_EQ(received, 31 - (1 << ((rank + 4) % 5)));
      }
    }
  }
}

TEST(AllgatherReduceScatter, RefusesAPlainMatrix) {
  Exchange exchange = exchange_from(Matrix<std::int64_t>(4, 4, 10), {0, 0, 1, 1});
  exchange.token_bytes.clear();
  testing::expect_error<MissingCapability>(
      [&] { (void)schedule_by("allgather_reduce_scatter", exchange); },
      "gathering every token needs the number of tokens that start on each rank");
}

TEST(PaddedEqualSplit, SendsTheLargestBlockEverywhere) {
  Matrix<std::int64_t> bytes(3, 3, 5);
  bytes(1, 1) = 70;
  const Schedule schedule = schedule_by("padded_equal_split", exchange_from(bytes, {0, 0, 0}));
  EXPECT_EQ(schedule.transfer_count(), 6U);
  EXPECT_TRUE(std::ranges::all_of(schedule.bytes, [](std::int64_t value) { return value == 70; }));
}

TEST(LowLatencyDirect, CountsAMessagePerRow) {
  Exchange exchange = exchange_from(Matrix<std::int64_t>(2, 2, 7168 * 3), {0, 1});
  exchange.bytes_per_row = 7168;
  EXPECT_EQ(schedule_by("low_latency_direct", exchange).messages, std::vector<std::int32_t>(2, 3));
  exchange.bytes_per_row = 0;
  EXPECT_TRUE(schedule_by("low_latency_direct", exchange).messages.empty());
}

TEST(WindowedDirect, IsDirectWithAWindow) {
  const Exchange exchange = exchange_from(traceable_blocks(5), {0, 0, 0, 1, 1});
  const Schedule direct = schedule_by("direct", exchange);
  const Schedule windowed = schedule_by("windowed_direct", exchange, {{"channels", 3}});
  EXPECT_EQ(windowed.destination, direct.destination);
  EXPECT_EQ(windowed.outstanding, 3);
}

TEST(Bruck, TakesLog2Rounds) {
  for (const std::size_t ranks : {2U, 5U, 8U, 13U}) {
    const Exchange exchange =
        exchange_from(Matrix<std::int64_t>(ranks, ranks, 1), std::vector<std::int32_t>(ranks, 0));
    const Schedule schedule = schedule_by("bruck", exchange);
    std::vector<std::size_t> sends(ranks, 0);
    for (const std::int32_t source : schedule.source) {
      ++sends[static_cast<std::size_t>(source)];
    }
    const auto rounds = static_cast<std::size_t>(std::ceil(std::log2(static_cast<double>(ranks))));
    EXPECT_EQ(sends, std::vector<std::size_t>(ranks, rounds));
  }
}

TEST(RailAligned, NeverChangesRailBetweenNodes) {
  const Schedule schedule = schedule_by(
      "rail_aligned", exchange_from(Matrix<std::int64_t>(8, 8, 9), {0, 0, 0, 0, 1, 1, 1, 1}));
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    if (schedule.source[i] / 4 != schedule.destination[i] / 4) {
      EXPECT_EQ(schedule.source[i] % 4, schedule.destination[i] % 4);
    }
  }
}

TEST(ContentionFree, KeepsTheBusiestRankBusyThroughout) {
  RandomStream random(11, {1});
  Matrix<std::int64_t> bytes(16, 16);
  for (std::int64_t& value : bytes.values()) {
    value = static_cast<std::int64_t>(random.index(3) == 0 ? 0 : random.index(1000000));
  }
  const Exchange exchange = exchange_from(bytes, std::vector<std::int32_t>(16, 0));
  const Schedule schedule =
      schedule_by("contention_free", exchange, {{"least_piece", "1B"}, {"overlap", 1}});
  // Every rank is at most once source and once destination in a round, and rounds in order never
  // need more time than the largest row or column: replay them at one byte per second.
  std::vector<double> sends_done(16, 0);
  std::vector<double> receives_done(16, 0);
  std::vector<double> finish(schedule.transfer_count());
  for (std::uint32_t i = 0; i < schedule.transfer_count(); ++i) {
    double start = 0;
    for (const std::uint32_t earlier : schedule.dependencies_of(i)) {
      start = std::max(start, finish[earlier]);
    }
    const auto source = static_cast<std::size_t>(schedule.source[i]);
    const auto destination = static_cast<std::size_t>(schedule.destination[i]);
    EXPECT_GE(start, sends_done[source]);
    start = std::max(start, receives_done[destination]);
    finish[i] = start + static_cast<double>(schedule.bytes[i]);
    sends_done[source] = finish[i];
    receives_done[destination] = finish[i];
  }
  std::int64_t busiest = 0;
  for (std::size_t rank = 0; rank < 16; ++rank) {
    std::int64_t row = -bytes(rank, rank);
    std::int64_t column = -bytes(rank, rank);
    for (std::size_t other = 0; other < 16; ++other) {
      row += bytes(rank, other);
      column += bytes(other, rank);
    }
    busiest = std::max({busiest, row, column});
  }
  EXPECT_LE(*std::ranges::max_element(finish), static_cast<double>(busiest));
}

TEST(ContentionFree, SendsSmallBlocksWholeInAsManyRoundsAsPartners) {
  const Exchange exchange =
      exchange_from(Matrix<std::int64_t>(9, 9, 1000), std::vector<std::int32_t>(9, 0));
  for (const std::int64_t overlap : {1, 3}) {
    const Schedule schedule = schedule_by("contention_free", exchange, {{"overlap", overlap}});
    EXPECT_EQ(schedule.transfer_count(), 72U);
    // Each rank starts as many chains of rounds as may overlap.
    std::vector<std::int64_t> free_starts(9, 0);
    for (std::uint32_t i = 0; i < schedule.transfer_count(); ++i) {
      free_starts[static_cast<std::size_t>(schedule.source[i])] +=
          schedule.dependencies_of(i).empty() ? 1 : 0;
    }
    EXPECT_EQ(free_starts, std::vector<std::int64_t>(9, overlap));
  }
}

TEST(ContentionFree, RefusesWhatWouldTakeForEver) {
  testing::expect_error<MissingCapability>(
      [] {
        (void)schedule_by(
            "contention_free",
            exchange_from(Matrix<std::int64_t>(513, 513, 1), std::vector<std::int32_t>(513, 0)));
      },
      "at most 512 ranks");
}

}  // namespace
}  // namespace switchyard
