// Storage of the lists: every chain gets room for all flows it will ever see.
#include "sim/network/fluid/sharing/chain_members.hpp"

namespace switchyard {

ChainMembers::ChainMembers(const FlowGraph& graph) : lists_(graph.chain_count()) {
  places_.reserve(graph.flow_count());
  std::vector<std::uint32_t> flows(graph.chain_count(), 0);
  for (std::size_t flow = 0; flow < graph.flow_count(); ++flow) {
    const std::uint32_t near = graph.flow_chains[kSourceSide][flow];
    const std::uint32_t far = graph.flow_chains[kDestinationSide][flow];
    places_.push_back({.chain = {near, far}, .entry = {kNone, kNone}, .holder = kSourceSide});
    ++flows[near];
    ++flows[far];
  }
  std::uint32_t next = 0;
  for (std::size_t chain = 0; chain < lists_.size(); ++chain) {
    lists_[chain].first = next;
    next += flows[chain] + kBatch - 1;
  }
  peer_.assign(next, nobody());
  flow_.resize(next);
}

}  // namespace switchyard
