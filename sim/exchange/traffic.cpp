// One pass over the pairs. Where every expert has one holder, a pair adds to one counter, that of
// its source and expert, and copies follow at the end. Distinct ranks and nodes of a token are the
// bits of two words up to 64 ranks, which histograms of bits add up; beyond, stamps (the last token
// that touched a place) find them, so that the cost of a pair does not depend on the number of
// ranks.
#include "sim/exchange/traffic.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace switchyard {
namespace {

/// The places, of any number, that the present token has been to.
struct SeenStamps {
  std::span<std::uint64_t> last;  // [places] the last token that has been there
  std::uint64_t token = 0;

  void next_token() { ++token; }

  /// 1 the first time, then 0.
  std::int64_t is_new(std::size_t place) {
    const std::int64_t answer = last[place] != token ? 1 : 0;
    last[place] = token;
    return answer;
  }
};

/// Rows of ids where every expert has one holder: the common case.
template <class Id>
struct SingleHolders {
  std::span<const Id> ids;
  std::size_t top_k;
  std::span<const std::int32_t> source_ranks;
  std::span<const std::int32_t> rank_of;  // [experts]
  std::span<const std::int32_t> node_of;  // [ranks]
  Matrix<std::int64_t>& counts;           // [ranks, experts] pairs by source and expert

  static constexpr Id kNone = static_cast<Id>(-1);

  /// Calls `use` for each expert of a row, and counts it. False at an id outside the experts.
  template <class Use>
  bool visit_row(std::size_t row, std::int64_t& pairs, const Use& use) const {
    std::int64_t* const count = counts.row(static_cast<std::size_t>(source_ranks[row])).data();
    for (const Id id : ids.subspan(row * top_k, top_k)) {
      const auto expert = static_cast<std::size_t>(id);
      if (expert >= rank_of.size()) {
        if (id == kNone) {
          continue;
        }
        return false;
      }
      ++pairs;
      ++count[expert];
      use(expert);
    }
    return true;
  }

  /// Both return the first row with an id outside the experts, or the number of rows.
  std::size_t count_by_bits(std::span<const PlaceBits> bits,  // [experts]
                            BitHistogram& ranks,
                            BitHistogram& nodes,
                            TrafficMatrix& traffic) const {
    std::size_t row = 0;
    for (bool is_good = true; row < source_ranks.size() && is_good;) {
      const auto source = static_cast<std::size_t>(source_ranks[row]);
      const std::size_t first = row;
      std::int64_t pairs = 0;
      // Rows that follow one another and start on the same rank.
      while (is_good && row < source_ranks.size() && source_ranks[row] == source_ranks[first]) {
        PlaceBits seen;
        is_good = visit_row(row, pairs, [&](std::size_t expert) {
          seen.rank |= bits[expert].rank;
          seen.node |= bits[expert].node;
        });
        ranks.add(seen.rank);
        nodes.add(seen.node);
        row += is_good ? 1 : 0;
      }
      traffic.pairs += pairs;
      traffic.rank_tokens[source] += static_cast<std::int64_t>(row - first);
      ranks.take(traffic.unique_rank_tokens.row(source));
      nodes.take(traffic.unique_node_tokens.row(source));
    }
    return row;
  }

  std::size_t count_by_stamps(SeenStamps seen_ranks,
                              SeenStamps seen_nodes,
                              TrafficMatrix& traffic) const {
    for (std::size_t row = 0; row < source_ranks.size(); ++row) {
      const auto source = static_cast<std::size_t>(source_ranks[row]);
      std::int64_t* const unique_ranks = traffic.unique_rank_tokens.row(source).data();
      std::int64_t* const unique_nodes = traffic.unique_node_tokens.row(source).data();
      ++traffic.rank_tokens[source];
      seen_ranks.next_token();
      seen_nodes.next_token();
      const bool is_good = visit_row(row, traffic.pairs, [&](std::size_t expert) {
        const auto rank = static_cast<std::size_t>(rank_of[expert]);
        const auto node = static_cast<std::size_t>(node_of[rank]);
        unique_ranks[rank] += seen_ranks.is_new(rank);
        unique_nodes[node] += seen_nodes.is_new(node);
      });
      if (!is_good) {
        return row;
      }
    }
    return source_ranks.size();
  }
};

}  // namespace

namespace {

std::vector<std::int32_t> nodes_of_ranks(const Fabric& fabric, std::size_t ranks) {
  std::vector<std::int32_t> nodes;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    nodes.push_back(fabric.node_of(RankId{rank}).value);
  }
  return nodes;
}

}  // namespace

TrafficCounter::TrafficCounter(const ExpertRanks& expert_ranks,
                               const Fabric& fabric,
                               std::size_t ranks,
                               std::size_t experts)
    : TrafficCounter(expert_ranks, nodes_of_ranks(fabric, ranks), experts) {}

TrafficCounter::TrafficCounter(const ExpertRanks& expert_ranks,
                               std::vector<std::int32_t> group_of_rank,
                               std::size_t experts)
    : expert_ranks_(expert_ranks),
      replicas_(expert_ranks, group_of_rank.size()),
      experts_(experts),
      node_of_rank_(std::move(group_of_rank)) {
  const std::size_t ranks = node_of_rank_.size();
  std::int32_t nodes = 0;
  for (const std::int32_t node : node_of_rank_) {
    nodes = std::max(nodes, node + 1);
  }
  traffic_.copies = Matrix<std::int64_t>(ranks, ranks);
  traffic_.unique_rank_tokens = Matrix<std::int64_t>(ranks, ranks);
  traffic_.unique_node_tokens = Matrix<std::int64_t>(ranks, static_cast<std::size_t>(nodes));
  traffic_.expert_rows = Matrix<std::int64_t>(ranks, experts);
  if (const auto rank_of = expert_ranks.single_ranks(); !rank_of.empty()) {
    single_counts_ = Matrix<std::int64_t>(ranks, experts);
    constexpr std::size_t kBits = 64;
    for (std::size_t expert = 0; expert < rank_of.size() && ranks <= kBits; ++expert) {
      const auto rank = static_cast<std::size_t>(rank_of[expert]);
      place_bits_.push_back(
          {.rank = std::uint64_t{1} << rank,
           .node = std::uint64_t{1} << static_cast<unsigned>(node_of_rank_[rank])});
    }
  }
  traffic_.rank_tokens.assign(ranks, 0);
  rank_stamp_.assign(ranks, 0);
  node_stamp_.assign(static_cast<std::size_t>(nodes), 0);
}

// One pair of the current token (stamp_) crosses to `rank`.
inline void TrafficCounter::add_pair(std::size_t source, std::size_t expert, std::size_t rank) {
  ++traffic_.copies(source, rank);
  ++traffic_.expert_rows(rank, expert);
  traffic_.unique_rank_tokens(source, rank) += rank_stamp_[rank] != stamp_ ? 1 : 0;
  rank_stamp_[rank] = stamp_;
  const auto node = static_cast<std::size_t>(node_of_rank_[rank]);
  traffic_.unique_node_tokens(source, node) += node_stamp_[node] != stamp_ ? 1 : 0;
  node_stamp_[node] = stamp_;
}

// Experts cut over all ranks: every part wants the token.
void TrafficCounter::add_to_every_rank(std::size_t source, std::size_t expert) {
  for (std::size_t rank = 0; rank < rank_stamp_.size(); ++rank) {
    add_pair(source, expert, rank);
  }
}

// Returns the first row with an id outside the experts, or the number of rows.
template <class Id>
std::size_t TrafficCounter::add_rows(std::span<const Id> ids,
                                     std::size_t top_k,
                                     std::span<const std::int32_t> source_ranks) {
  if (const auto rank_of = expert_ranks_.single_ranks(); !rank_of.empty()) {
    const SingleHolders<Id> rows{ids, top_k, source_ranks, rank_of, node_of_rank_, single_counts_};
    if (!place_bits_.empty()) {
      return rows.count_by_bits(place_bits_, ranks_seen_, nodes_seen_, traffic_);
    }
    const std::uint64_t before = std::exchange(stamp_, stamp_ + source_ranks.size());
    return rows.count_by_stamps(
        SeenStamps{rank_stamp_, before}, SeenStamps{node_stamp_, before}, traffic_);
  }
  constexpr Id kNone = static_cast<Id>(-1);
  const bool is_sharded = expert_ranks_.shards() > 1;
  for (std::size_t row = 0; row < source_ranks.size(); ++row) {
    const auto source = static_cast<std::size_t>(source_ranks[row]);
    ++traffic_.rank_tokens[source];
    ++stamp_;
    for (std::size_t choice = 0; choice < top_k; ++choice) {
      const Id id = ids[row * top_k + choice];
      if (id == kNone) {
        continue;
      }
      const auto expert = static_cast<std::size_t>(id);
      if (expert >= experts_) {
        return row;
      }
      ++traffic_.pairs;
      is_sharded
          ? add_to_every_rank(source, expert)
          : add_pair(source, expert, static_cast<std::size_t>(replicas_.next(source, expert)));
    }
  }
  return source_ranks.size();
}

void TrafficCounter::add(const RoutingTrace& trace,
                         const Chunk& chunk,
                         const ExpertIds& ids,
                         std::span<const std::int32_t> source_ranks) {
  const std::size_t bad_row =
      ids.visit([&](auto values) { return add_rows(values, ids.top_k(), source_ranks); });
  if (bad_row == source_ranks.size()) {
    return;
  }
  for (std::size_t choice = 0; choice < ids.top_k(); ++choice) {
    const std::int32_t id = ids.at(bad_row, choice);
    if (id != kNoExpert && (id < 0 || static_cast<std::size_t>(id) >= experts_)) {
      throw_expert_out_of_range(trace, chunk, bad_row, id);
    }
  }
}

void TrafficCounter::add(const Matrix<std::int32_t>& ids,
                         std::span<const std::int32_t> source_ranks) {
  const std::size_t done = add_rows(ids.values(), ids.columns(), source_ranks);
  SWITCHYARD_CHECK(done == source_ranks.size(), "a capacity policy made an expert up");
}

namespace {

// Experts without a choice first, then the others by falling count, so that a choice by load knows
// what it cannot change.
std::vector<std::size_t> order_of_choosing(const ExpertRanks& expert_ranks,
                                           std::span<const std::int64_t> counts) {
  std::vector<std::size_t> order(counts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (expert_ranks.choice() == ReplicaChoice::LeastLoaded) {
    const auto key = [&](std::size_t expert) {
      const bool has_choice = expert_ranks.holders_of(expert).size() > 1;
      return std::pair(has_choice, has_choice ? -counts[expert] : 0);
    };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t left, std::size_t right) {
      return key(left) < key(right);
    });
  }
  return order;
}

}  // namespace

void TrafficCounter::add_counts(std::size_t source_rank, std::span<const std::int64_t> counts) {
  has_tokens_ = false;
  traffic_.rank_tokens.clear();
  const std::size_t ranks = rank_stamp_.size();
  const bool is_sharded = expert_ranks_.shards() > 1;
  const std::span<const std::int32_t> single = expert_ranks_.single_ranks();
  std::vector<std::int64_t> rows(ranks);
  for (const std::size_t expert : order_of_choosing(expert_ranks_, counts)) {
    traffic_.pairs += counts[expert];
    if (!single.empty()) {
      const auto rank = static_cast<std::size_t>(single[expert]);
      traffic_.copies(source_rank, rank) += counts[expert];
      traffic_.expert_rows(rank, expert) += counts[expert];
      continue;
    }
    std::fill(rows.begin(), rows.end(), is_sharded ? counts[expert] : 0);
    if (!is_sharded) {
      replicas_.spread(source_rank, expert, counts[expert], rows);
    }
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      traffic_.copies(source_rank, rank) += rows[rank];
      traffic_.expert_rows(rank, expert) += rows[rank];
    }
  }
}

void TrafficCounter::pad_to(std::span<const std::int64_t> slots) {
  const std::size_t ranks = slots.size();
  traffic_.copies = Matrix<std::int64_t>(ranks, ranks);
  traffic_.expert_rows = Matrix<std::int64_t>(ranks, experts_);
  single_counts_ = {};
  for (std::size_t source = 0; source < ranks; ++source) {
    for (std::size_t expert = 0; expert < experts_; ++expert) {
      // A padded buffer goes to one place; the parts of a cut expert each need it.
      const auto nearest = static_cast<std::size_t>(expert_ranks_.rank_of(source, expert));
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        if (rank == nearest || expert_ranks_.shards() > 1) {
          traffic_.copies(source, rank) += slots[source];
          traffic_.expert_rows(rank, expert) += slots[source];
        }
      }
    }
  }
  // A padded buffer is cut by expert, not by token: nothing can be sent once for two experts.
  has_tokens_ = false;
}

TrafficMatrix TrafficCounter::take() {
  const std::span<const std::int32_t> single = expert_ranks_.single_ranks();
  for (std::size_t source = 0; source < single_counts_.rows(); ++source) {
    const std::span<const std::int64_t> counts = std::as_const(single_counts_).row(source);
    for (std::size_t expert = 0; expert < counts.size(); ++expert) {
      if (counts[expert] != 0) {
        const auto rank = static_cast<std::size_t>(single[expert]);
        traffic_.copies(source, rank) += counts[expert];
        traffic_.expert_rows(rank, expert) += counts[expert];
      }
    }
  }
  if (!has_tokens_) {
    traffic_.unique_rank_tokens = {};
    traffic_.unique_node_tokens = {};
  }
  return std::move(traffic_);
}

namespace {

Matrix<std::int64_t> scaled(const Matrix<std::int64_t>& tokens,
                            std::int64_t bytes_each,
                            bool transpose) {
  Matrix<std::int64_t> bytes(transpose ? tokens.columns() : tokens.rows(),
                             transpose ? tokens.rows() : tokens.columns());
  for (std::size_t row = 0; row < tokens.rows(); ++row) {
    for (std::size_t column = 0; column < tokens.columns(); ++column) {
      const std::int64_t amount = tokens(row, column) * bytes_each;
      (transpose ? bytes(column, row) : bytes(row, column)) = amount;
    }
  }
  return bytes;
}

}  // namespace

Exchange exchange_of(const TrafficMatrix& traffic,
                     const TokenBytes& token_bytes,
                     Direction direction,
                     const Fabric& fabric) {
  const bool is_combine = direction == Direction::Combine;
  const std::int64_t each = is_combine ? token_bytes.combine : token_bytes.dispatch;
  Exchange exchange;
  exchange.direction = direction;
  exchange.bytes_per_row = each;
  exchange.copy_bytes = scaled(traffic.copies, each, is_combine);
  if (!traffic.unique_rank_tokens.empty()) {
    exchange.rank_bytes = scaled(traffic.unique_rank_tokens, each, is_combine);
    exchange.node_bytes = scaled(traffic.unique_node_tokens, each, false);
  }
  for (const std::int64_t tokens : traffic.rank_tokens) {
    exchange.token_bytes.push_back(tokens * each);
  }
  for (std::size_t rank = 0; rank < traffic.copies.rows(); ++rank) {
    exchange.node_of_rank.push_back(fabric.node_of(RankId{rank}).value);
  }
  return exchange;
}

}  // namespace switchyard
