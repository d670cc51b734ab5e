// Storage of the lists: every chain gets room for all flows it will ever see.
#include "sim/network/fluid/sharing/chain_members.hpp"

namespace switchyard {

ChainMembers::ChainMembers(const FlowGraph& graph)
    : graph_(&graph), lists_(graph.chain_count()), slot_of_flow_(graph.flow_count()) {
  std::vector<std::uint32_t> flows(graph.chain_count(), 0);
  for (const auto& chains : graph.flow_chains) {
    for (const std::uint32_t chain : chains) {
      ++flows[chain];
    }
  }
  std::uint32_t next = 0;
  for (std::size_t chain = 0; chain < lists_.size(); ++chain) {
    lists_[chain].first = next;
    next += flows[chain] + kBatch - 1;
  }
  peer_.assign(next, nobody());
  slot_.resize(next);
}

}  // namespace switchyard
