// All-to-all algorithms: pure functions from what has to move to a schedule of transfers. One .cpp
// in sim/all_to_all/ each; no simulator in it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/components/registry.hpp"
#include "core/matrix.hpp"
#include "sim/exchange/schedule.hpp"

namespace switchyard {

enum class Direction { Dispatch, Combine };

/// What has to move, in the direction of travel: rows are sources, columns destinations. The
/// diagonal (tokens whose expert is local) never crosses a link.
struct Exchange {
  Direction direction = Direction::Dispatch;
  /// [ranks, ranks] bytes when a token crosses once per (token, choice).
  Matrix<std::int64_t> copy_bytes;
  /// [ranks, ranks] bytes when a token crosses once per destination rank; empty if unknown (counts
  /// and plain matrices have no tokens).
  Matrix<std::int64_t> rank_bytes;
  /// [ranks, nodes] bytes when a token crosses once per remote node: from the row's rank to the
  /// column's node in a dispatch, from the node to the rank in a combine; empty if unknown.
  Matrix<std::int64_t> node_bytes;
  std::vector<std::int32_t> node_of_rank;  // [ranks]
  /// [ranks] bytes of all tokens that start on each rank, wherever they are routed; empty if
  /// unknown. What gathering algorithms move.
  std::vector<std::int64_t> token_bytes;
  std::int64_t bytes_per_row = 0;  // of one token; 0 = unknown

  [[nodiscard]] std::size_t rank_count() const { return copy_bytes.rows(); }
};

/// How often a token with several experts behind one rank or node crosses the network.
enum class Deduplication {
  None,     // once per (token, choice): Exchange::copy_bytes
  PerRank,  // once per destination rank: Exchange::rank_bytes
  PerNode,  // once per destination node, then forwarded inside it: Exchange::node_bytes
};

class AllToAll {
 public:
  AllToAll() = default;
  AllToAll(const AllToAll&) = delete;
  AllToAll& operator=(const AllToAll&) = delete;
  AllToAll(AllToAll&&) = delete;
  AllToAll& operator=(AllToAll&&) = delete;
  virtual ~AllToAll() = default;

  /// Which of the exchange's matrices the algorithm moves.
  [[nodiscard]] virtual Deduplication deduplication() const = 0;

  /// True for algorithms that send more than that matrix on purpose: padding to equal blocks, or
  /// every token to every rank.
  [[nodiscard]] virtual bool sends_surplus() const { return false; }

  /// Every byte of that matrix arrives at its destination exactly once. Throws MissingCapability
  /// if the matrix is not known for this trace.
  [[nodiscard]] virtual Schedule schedule(const Exchange& exchange) const = 0;
};

extern template class Registry<AllToAll>;

/// The parameter that most algorithms share: `once_per_rank` chooses PerRank over None.
Deduplication get_deduplication(Parameters& parameters);

/// copy_bytes or rank_bytes, as `deduplication` says (PerNode gives rank_bytes). Throws
/// MissingCapability with a hint when it is unknown.
const Matrix<std::int64_t>& bytes_to_move(const Exchange& exchange, Deduplication deduplication);

}  // namespace switchyard
