#include "tests/support/networks/deliveries.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include <fmt/format.h>

namespace switchyard::testing {
namespace {

using Blocks = std::uint64_t;

constexpr int kDiagonalBit = 50;

/// [transfers] blocks that reach `rank` by transfers that transfer `waiting` waits for.
Blocks received_before(const Schedule& schedule, std::uint32_t waiting, std::int32_t rank) {
  std::vector<bool> seen(schedule.transfer_count(), false);
  std::vector<std::uint32_t> open{waiting};
  Blocks received = 0;
  while (!open.empty()) {
    const std::uint32_t transfer = open.back();
    open.pop_back();
    for (const std::uint32_t earlier : schedule.dependencies_of(transfer)) {
      if (!seen[earlier]) {
        seen[earlier] = true;
        open.push_back(earlier);
        if (schedule.destination[earlier] == rank) {
          received |= static_cast<Blocks>(schedule.bytes[earlier]);
        }
      }
    }
  }
  return received;
}

}  // namespace

Matrix<std::int64_t> traceable_blocks(std::size_t ranks) {
  Matrix<std::int64_t> blocks(ranks, ranks);
  int bit = 0;
  for (std::size_t source = 0; source < ranks; ++source) {
    for (std::size_t destination = 0; destination < ranks; ++destination) {
      blocks(source, destination) = std::int64_t{1}
                                    << (source == destination ? kDiagonalBit : bit++);
    }
  }
  return blocks;
}

std::string misdelivery(const Schedule& schedule, const Matrix<std::int64_t>& blocks) {
  const std::size_t ranks = blocks.rows();
  std::vector<Blocks> owned(ranks, 0);
  std::vector<Blocks> wanted(ranks, 0);
  for (std::size_t source = 0; source < ranks; ++source) {
    for (std::size_t destination = 0; destination < ranks; ++destination) {
      if (source != destination) {
        owned[source] |= static_cast<Blocks>(blocks(source, destination));
        wanted[destination] |= static_cast<Blocks>(blocks(source, destination));
      }
    }
  }
  std::vector<Blocks> delivered(ranks, 0);
  std::vector<Blocks> sent(ranks, 0);
  for (std::uint32_t i = 0; i < schedule.transfer_count(); ++i) {
    const auto carried = static_cast<Blocks>(schedule.bytes[i]);
    const auto from = static_cast<std::size_t>(schedule.source[i]);
    const auto to = static_cast<std::size_t>(schedule.destination[i]);
    const Blocks held = owned[from] | received_before(schedule, i, schedule.source[i]);
    if ((carried & ~held) != 0) {
      return fmt::format("transfer {} from rank {} carries blocks {:#x} it does not have yet",
                         i,
                         from,
                         carried & ~held);
    }
    if ((carried & sent[from]) != 0 || (carried & wanted[from]) != 0) {
      return fmt::format("rank {} sends blocks {:#x} twice or gives its own away",
                         from,
                         carried & (sent[from] | wanted[from]));
    }
    if ((carried & wanted[to] & delivered[to]) != 0) {
      return fmt::format("rank {} gets blocks {:#x} twice", to, carried & delivered[to]);
    }
    sent[from] |= carried;
    delivered[to] |= carried & wanted[to];
  }
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    if (delivered[rank] != wanted[rank]) {
      return fmt::format("rank {} never gets blocks {:#x}", rank, wanted[rank] & ~delivered[rank]);
    }
  }
  return "";
}

Exchange exchange_from(const Matrix<std::int64_t>& copies,
                       std::vector<std::int32_t> node_of_rank,
                       Direction direction) {
  const std::size_t ranks = copies.rows();
  const auto nodes = node_of_rank.empty()
                         ? std::size_t{0}
                         : static_cast<std::size_t>(*std::ranges::max_element(node_of_rank)) + 1;
  Exchange exchange{.direction = direction,
                    .copy_bytes = copies,
                    .rank_bytes = copies,
                    .node_bytes = Matrix<std::int64_t>(ranks, nodes),
                    .node_of_rank = std::move(node_of_rank),
                    .token_bytes = std::vector<std::int64_t>(ranks, 0),
                    .bytes_per_row = 1};
  for (std::size_t token_rank = 0; token_rank < ranks; ++token_rank) {
    for (std::size_t expert_rank = 0; expert_rank < ranks; ++expert_rank) {
      const std::int64_t bytes = direction == Direction::Dispatch ? copies(token_rank, expert_rank)
                                                                  : copies(expert_rank, token_rank);
      const auto node = static_cast<std::size_t>(exchange.node_of_rank[expert_rank]);
      if (exchange.node_of_rank[token_rank] != exchange.node_of_rank[expert_rank]) {
        exchange.node_bytes(token_rank, node) += bytes;
      }
      exchange.token_bytes[token_rank] += bytes;
    }
  }
  return exchange;
}

}  // namespace switchyard::testing
