// Who sits where: ranks by node, and the rank of the same index on another node. Nodes may be
// unequal; an index beyond a smaller node wraps round.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace switchyard {

class NodeLayout {
 public:
  /// `node_of_rank` [ranks], node numbers from 0, in any order. Throws InternalError for a negative
  /// one.
  explicit NodeLayout(std::span<const std::int32_t> node_of_rank);

  [[nodiscard]] std::size_t rank_count() const { return node_of_rank_.size(); }

  [[nodiscard]] std::size_t node_count() const { return ranks_of_node_.size(); }

  [[nodiscard]] std::size_t node_of(std::size_t rank) const {
    return static_cast<std::size_t>(node_of_rank_[rank]);
  }

  /// Ascending; empty for a number that no rank has.
  [[nodiscard]] std::span<const std::size_t> ranks_of(std::size_t node) const {
    return ranks_of_node_[node];
  }

  /// The rank on `node` with the index that `rank` has on its own, modulo the size of `node`, which
  /// must not be empty.
  [[nodiscard]] std::size_t counterpart(std::size_t rank, std::size_t node) const {
    const std::vector<std::size_t>& there = ranks_of_node_[node];
    return there[index_in_node_[rank] % there.size()];
  }

 private:
  std::vector<std::int32_t> node_of_rank_;
  std::vector<std::size_t> index_in_node_;               // [ranks]
  std::vector<std::vector<std::size_t>> ranks_of_node_;  // [nodes][ranks of it]
};

}  // namespace switchyard
