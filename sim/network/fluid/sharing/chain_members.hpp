// Which flows are under way on each chain, split in two: those that this chain holds back (it
// decides their rate) and those that their other chain holds back. Each flow is held by exactly one
// of its two chains. Lists are kept contiguous and moves are swaps, so every operation is O(1) and
// summing over a chain is a straight run over memory.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/network/fluid/sharing/flow_graph.hpp"

namespace switchyard {

class ChainMembers {
 public:
  explicit ChainMembers(const FlowGraph& graph);

  /// Flows on the chain / those of them that it holds.
  [[nodiscard]] std::uint32_t size(std::uint32_t chain) const { return size_[chain]; }

  [[nodiscard]] std::uint32_t held_count(std::uint32_t chain) const { return held_[chain]; }

  /// All flows on the chain, and their other chains in the same order.
  [[nodiscard]] std::span<const std::uint32_t> flows(std::uint32_t chain) const {
    return {flow_.data() + first_[chain], size_[chain]};
  }

  [[nodiscard]] std::span<const std::uint32_t> peers(std::uint32_t chain) const {
    return {peer_.data() + first_[chain], size_[chain]};
  }

  /// Flows the chain holds.
  [[nodiscard]] std::span<const std::uint32_t> held_flows(std::uint32_t chain) const {
    return {flow_.data() + first_[chain], held_[chain]};
  }

  /// The other chains of the flows it holds, in the same order.
  [[nodiscard]] std::span<const std::uint32_t> held_peers(std::uint32_t chain) const {
    return {peer_.data() + first_[chain], held_[chain]};
  }

  /// Flows that cross the chain but are held by their other chain.
  [[nodiscard]] std::span<const std::uint32_t> foreign_flows(std::uint32_t chain) const {
    return {flow_.data() + first_[chain] + held_[chain], size_[chain] - held_[chain]};
  }

  [[nodiscard]] std::span<const std::uint32_t> foreign_peers(std::uint32_t chain) const {
    return {peer_.data() + first_[chain] + held_[chain], size_[chain] - held_[chain]};
  }

  [[nodiscard]] Side holder_side(std::uint32_t flow) const {
    return static_cast<Side>(holder_[flow]);
  }

  [[nodiscard]] std::uint32_t chain_of(std::uint32_t flow, std::size_t side) const {
    return graph_->flow_chains[side][flow];
  }

  [[nodiscard]] std::uint32_t holder(std::uint32_t flow) const {
    return chain_of(flow, holder_[flow]);
  }

  [[nodiscard]] std::uint32_t flow_count() const { return flow_count_; }

  /// Puts a flow on its two chains, held by `side`.
  void insert(std::uint32_t flow, Side side) {
    for (const std::size_t each : {0U, 1U}) {
      const std::uint32_t chain = chain_of(flow, each);
      place(each, first_[chain] + size_[chain]++, chain_of(flow, 1 - each), flow);
    }
    ++flow_count_;
    begin_hold(flow, side);
  }

  void erase(std::uint32_t flow) {
    end_hold(flow);
    for (const std::size_t side : {0U, 1U}) {
      const std::uint32_t chain = chain_of(flow, side);
      exchange(side, entry_[side][flow], first_[chain] + --size_[chain]);
    }
    --flow_count_;
  }

  /// Hands the flow to its other chain.
  void change_holder(std::uint32_t flow) {
    const auto other = static_cast<Side>(1 - holder_[flow]);
    end_hold(flow);
    begin_hold(flow, other);
  }

 private:
  void begin_hold(std::uint32_t flow, Side side) {
    const std::uint32_t chain = chain_of(flow, side);
    exchange(side, entry_[side][flow], first_[chain] + held_[chain]++);
    holder_[flow] = side;
  }

  void end_hold(std::uint32_t flow) {
    const std::size_t side = holder_[flow];
    const std::uint32_t chain = chain_of(flow, side);
    exchange(side, entry_[side][flow], first_[chain] + --held_[chain]);
  }

  void place(std::size_t side, std::uint32_t entry, std::uint32_t peer, std::uint32_t flow) {
    peer_[entry] = peer;
    flow_[entry] = flow;
    entry_[side][flow] = entry;
  }

  void exchange(std::size_t side, std::uint32_t a, std::uint32_t b) {
    if (a == b) {
      return;
    }
    const std::uint32_t peer = peer_[a];
    const std::uint32_t flow = flow_[a];
    place(side, a, peer_[b], flow_[b]);
    place(side, b, peer, flow);
  }

  const FlowGraph* graph_;
  std::uint32_t flow_count_ = 0;
  std::vector<std::uint32_t> first_;                 // [chains] first entry
  std::vector<std::uint32_t> size_;                  // [chains] entries in use
  std::vector<std::uint32_t> held_;                  // [chains] of them held, at the front
  std::vector<std::uint32_t> peer_;                  // [entries] other chain of the flow
  std::vector<std::uint32_t> flow_;                  // [entries]
  std::array<std::vector<std::uint32_t>, 2> entry_;  // [Side][flows] where the flow is listed
  std::vector<std::uint8_t> holder_;                 // [flows] Side that holds it
};

}  // namespace switchyard
