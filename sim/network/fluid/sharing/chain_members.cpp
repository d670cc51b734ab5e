// Storage of the lists: every chain gets room for all flows it will ever see.
#include "sim/network/fluid/sharing/chain_members.hpp"

namespace switchyard {

ChainMembers::ChainMembers(const FlowGraph& graph)
    : graph_(&graph),
      first_(graph.chain_count() + 1, 0),
      size_(graph.chain_count(), 0),
      held_(graph.chain_count(), 0),
      peer_(2 * graph.flow_count()),
      flow_(2 * graph.flow_count()),
      entry_{std::vector<std::uint32_t>(graph.flow_count()),
             std::vector<std::uint32_t>(graph.flow_count())},
      holder_(graph.flow_count(), kSourceSide) {
  for (const auto& chains : graph.flow_chains) {
    for (const std::uint32_t chain : chains) {
      ++first_[chain + 1];
    }
  }
  for (std::size_t chain = 0; chain < graph.chain_count(); ++chain) {
    first_[chain + 1] += first_[chain];
  }
}

}  // namespace switchyard
