#include "sim/exchange/node_layout.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace switchyard {

NodeLayout::NodeLayout(std::span<const std::int32_t> node_of_rank)
    : node_of_rank_(node_of_rank.begin(), node_of_rank.end()) {
  for (std::size_t rank = 0; rank < node_of_rank_.size(); ++rank) {
    SWITCHYARD_CHECK(node_of_rank_[rank] >= 0, "every rank has a node");
    const std::size_t node = node_of(rank);
    ranks_of_node_.resize(std::max(ranks_of_node_.size(), node + 1));
    index_in_node_.push_back(ranks_of_node_[node].size());
    ranks_of_node_[node].push_back(rank);
  }
}

}  // namespace switchyard
