// From routing decisions and a placement to the traffic matrix of a layer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix.hpp"
#include "sim/all_to_all.hpp"
#include "sim/exchange/bit_histogram.hpp"
#include "sim/exchange/expert_ranks.hpp"
#include "topologies/fabric.hpp"

namespace switchyard {

/// Token counts of one (step, layer); rows are source ranks.
struct TrafficMatrix {
  Matrix<std::int64_t> copies;              // [ranks, ranks] (token, choice) pairs
  Matrix<std::int64_t> unique_rank_tokens;  // [ranks, ranks] distinct tokens; empty if unknown
  Matrix<std::int64_t> unique_node_tokens;  // [ranks, nodes] distinct tokens; empty if unknown
  Matrix<std::int64_t> expert_rows;         // [ranks, experts] rows each rank's copy computes
  std::vector<std::int64_t> rank_tokens;    // [ranks] tokens that start there; empty if unknown
  std::int64_t pairs = 0;                   // (token, choice) pairs counted, each once
};

/// Where an expert is: one bit of 64 each.
struct PlaceBits {
  std::uint64_t rank = 0;
  std::uint64_t node = 0;
};

/// Adds tokens to a traffic matrix, chunk by chunk.
class TrafficCounter {
 public:
  TrafficCounter(const ExpertRanks& expert_ranks,
                 const Fabric& fabric,
                 std::size_t ranks,
                 std::size_t experts);
  /// Counts unique_node_tokens by these groups instead of nodes, [ranks] from 0.
  TrafficCounter(const ExpertRanks& expert_ranks,
                 std::vector<std::int32_t> group_of_rank,
                 std::size_t experts);

  /// Rows of `ids`, row i starting on source_ranks[i]. Throws InvalidInput through
  /// throw_expert_out_of_range for a bad id.
  void add(const RoutingTrace& trace,
           const Chunk& chunk,
           const ExpertIds& ids,
           std::span<const std::int32_t> source_ranks);
  /// The same from ids in memory, already checked.
  void add(const Matrix<std::int32_t>& ids, std::span<const std::int32_t> source_ranks);
  /// Selections of one source rank, [experts]: no unique counts after this.
  void add_counts(std::size_t source_rank, std::span<const std::int64_t> counts);
  /// Every (source rank, expert) sends `slots[source]` rows, filled or not (drop-and-pad): replaces
  /// what add() counted, except the tokens per rank.
  void pad_to(std::span<const std::int64_t> slots);

  [[nodiscard]] TrafficMatrix take();

 private:
  void add_pair(std::size_t source, std::size_t expert, std::size_t rank);
  void add_to_every_rank(std::size_t source, std::size_t expert);
  template <class Id>
  std::size_t add_rows(std::span<const Id> ids,
                       std::size_t top_k,
                       std::span<const std::int32_t> source_ranks);

  const ExpertRanks& expert_ranks_;
  ReplicaCursor replicas_;
  std::size_t experts_;
  std::vector<std::int32_t> node_of_rank_;
  Matrix<std::int64_t> single_counts_;  // [ranks, experts] pairs, if experts have one holder each
  std::vector<PlaceBits> place_bits_;   // [experts]; empty unless distinct places are bits
  BitHistogram ranks_seen_;
  BitHistogram nodes_seen_;
  std::vector<std::uint64_t> rank_stamp_;  // [ranks] the last token that went there
  std::vector<std::uint64_t> node_stamp_;  // [nodes]
  std::uint64_t stamp_ = 0;
  bool has_tokens_ = true;
  TrafficMatrix traffic_;
};

/// Bytes of one token on the wire.
struct TokenBytes {
  std::int64_t dispatch = 0;
  std::int64_t combine = 0;
};

/// The exchange of a direction: the combine is the transpose of the dispatch.
Exchange exchange_of(const TrafficMatrix& traffic,
                     const TokenBytes& token_bytes,
                     Direction direction,
                     const Fabric& fabric);

}  // namespace switchyard
