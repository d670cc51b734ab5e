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
  [[nodiscard]] std::uint32_t size(std::uint32_t chain) const { return lists_[chain].size; }

  [[nodiscard]] std::uint32_t held_count(std::uint32_t chain) const { return lists_[chain].held; }

  /// All flows on the chain, and their other chains in the same order.
  [[nodiscard]] std::span<const std::uint32_t> flows(std::uint32_t chain) const {
    return {flow_.data() + lists_[chain].first, lists_[chain].size};
  }

  [[nodiscard]] std::span<const std::uint32_t> peers(std::uint32_t chain) const {
    return {peer_.data() + lists_[chain].first, lists_[chain].size};
  }

  /// Flows the chain holds.
  [[nodiscard]] std::span<const std::uint32_t> held_flows(std::uint32_t chain) const {
    return flows(chain).first(lists_[chain].held);
  }

  /// The other chains of the flows it holds, in the same order.
  [[nodiscard]] std::span<const std::uint32_t> held_peers(std::uint32_t chain) const {
    return peers(chain).first(lists_[chain].held);
  }

  /// Flows that cross the chain but are held by their other chain.
  [[nodiscard]] std::span<const std::uint32_t> foreign_flows(std::uint32_t chain) const {
    return flows(chain).subspan(lists_[chain].held);
  }

  [[nodiscard]] std::span<const std::uint32_t> foreign_peers(std::uint32_t chain) const {
    return peers(chain).subspan(lists_[chain].held);
  }

  /// foreign_peers(), and nobody() as often as it takes to make a multiple of kBatch: a sum over
  /// them needs no remainder, whose length no processor foresees.
  [[nodiscard]] std::span<const std::uint32_t> foreign_peers_in_batches(std::uint32_t chain) const {
    const List& list = lists_[chain];
    const std::uint32_t count = (list.size - list.held + kBatch - 1) / kBatch * kBatch;
    return {peer_.data() + list.first + list.held, count};
  }

  static constexpr std::uint32_t kBatch = 8;

  /// A number beyond those of the chains, found behind the end of each list.
  [[nodiscard]] std::uint32_t nobody() const { return static_cast<std::uint32_t>(lists_.size()); }

  [[nodiscard]] std::uint32_t chain_of(std::uint32_t flow, std::size_t side) const {
    return places_[flow].chain[side];
  }

  [[nodiscard]] std::uint32_t holder(std::uint32_t flow) const {
    return places_[flow].chain[places_[flow].holder];
  }

  [[nodiscard]] std::uint32_t flow_count() const { return flow_count_; }

  /// Puts a flow on its two chains, held by `side`.
  void insert(std::uint32_t flow, Side side) {
    Place& place = places_[flow];
    for (const std::size_t each : {0U, 1U}) {
      List& list = lists_[place.chain[each]];
      put(each, list.first + list.size++, place.chain[1 - each], flow);
    }
    ++flow_count_;
    begin_hold(place, side);
  }

  void erase(std::uint32_t flow) {
    Place& place = places_[flow];
    end_hold(place);
    for (const std::size_t side : {0U, 1U}) {
      List& list = lists_[place.chain[side]];
      exchange(side, place.entry[side], list.first + --list.size);
      peer_[list.first + list.size] = nobody();
    }
    --flow_count_;
  }

  /// Hands the flow to its other chain.
  void change_holder(std::uint32_t flow) {
    Place& place = places_[flow];
    end_hold(place);
    begin_hold(place, static_cast<Side>(1 - place.holder));
  }

 private:
  /// The entries of a chain.
  struct List {
    std::uint32_t first = 0;
    std::uint32_t size = 0;
    std::uint32_t held = 0;  // of them held by the chain, at the front
  };

  /// Where a flow is listed. All that an event reads of it lies together.
  struct Place {
    std::array<std::uint32_t, 2> chain;  // [Side]
    std::array<std::uint32_t, 2> entry;  // [Side]
    Side holder;
  };

  void begin_hold(Place& place, Side side) {
    List& list = lists_[place.chain[side]];
    exchange(side, place.entry[side], list.first + list.held++);
    place.holder = side;
  }

  void end_hold(Place& place) {
    List& list = lists_[place.chain[place.holder]];
    exchange(place.holder, place.entry[place.holder], list.first + --list.held);
  }

  void put(std::size_t side, std::uint32_t entry, std::uint32_t peer, std::uint32_t flow) {
    peer_[entry] = peer;
    flow_[entry] = flow;
    places_[flow].entry[side] = entry;
  }

  void exchange(std::size_t side, std::uint32_t a, std::uint32_t b) {
    const std::uint32_t peer = peer_[a];
    const std::uint32_t flow = flow_[a];
    put(side, a, peer_[b], flow_[b]);
    put(side, b, peer, flow);
  }

  std::uint32_t flow_count_ = 0;
  std::vector<List> lists_;          // [chains]
  std::vector<Place> places_;        // [flows]
  std::vector<std::uint32_t> peer_;  // [entries] other chain of the flow
  std::vector<std::uint32_t> flow_;  // [entries]
};

}  // namespace switchyard
