// Which flows are under way on each chain, split in two: those that this chain holds back (it
// decides their rate) and those that their other chain holds back. Each flow is held by exactly one
// of its two chains. Lists are kept contiguous and moves are swaps, so every operation is O(1) and
// summing over a chain is a straight run over memory. A flow under way is known by a slot that the
// next one takes over when it ends: what an event reads stays as small as what is under way.
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

  /// Slots of all flows on the chain, and their other chains in the same order.
  [[nodiscard]] std::span<const std::uint32_t> slots(std::uint32_t chain) const {
    return {slot_.data() + lists_[chain].first, lists_[chain].size};
  }

  [[nodiscard]] std::span<const std::uint32_t> peers(std::uint32_t chain) const {
    return {peer_.data() + lists_[chain].first, lists_[chain].size};
  }

  /// Flows the chain holds.
  [[nodiscard]] std::span<const std::uint32_t> held_slots(std::uint32_t chain) const {
    return slots(chain).first(lists_[chain].held);
  }

  /// The other chains of the flows it holds, in the same order.
  [[nodiscard]] std::span<const std::uint32_t> held_peers(std::uint32_t chain) const {
    return peers(chain).first(lists_[chain].held);
  }

  /// Flows that cross the chain but are held by their other chain.
  [[nodiscard]] std::span<const std::uint32_t> foreign_slots(std::uint32_t chain) const {
    return slots(chain).subspan(lists_[chain].held);
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

  /// The slot of a flow under way.
  [[nodiscard]] std::uint32_t slot_of(std::uint32_t flow) const { return slot_of_flow_[flow]; }

  [[nodiscard]] std::uint32_t flow_of(std::uint32_t slot) const { return places_[slot].flow; }

  /// The chain that holds the flow.
  [[nodiscard]] std::uint32_t holder(std::uint32_t slot) const {
    return places_[slot].chain[places_[slot].holder];
  }

  [[nodiscard]] std::uint32_t flow_count() const { return flow_count_; }

  /// Puts a flow on its two chains, held by `side`, and answers its slot.
  std::uint32_t insert(std::uint32_t flow, Side side) {
    const std::uint32_t slot = take_slot();
    slot_of_flow_[flow] = slot;
    Place& place = places_[slot];
    place.flow = flow;
    for (const std::size_t each : {0U, 1U}) {
      place.chain[each] = graph_->flow_chains[each][flow];
    }
    for (const std::size_t each : {0U, 1U}) {
      List& list = lists_[place.chain[each]];
      put(each, list.first + list.size++, place.chain[1 - each], slot);
    }
    ++flow_count_;
    begin_hold(place, side);
    return slot;
  }

  void erase(std::uint32_t slot) {
    Place& place = places_[slot];
    end_hold(place);
    for (const std::size_t side : {0U, 1U}) {
      List& list = lists_[place.chain[side]];
      exchange(side, place.entry[side], list.first + --list.size);
      peer_[list.first + list.size] = nobody();
    }
    --flow_count_;
    free_slots_.push_back(slot);
  }

  /// Hands the flow to its other chain.
  void change_holder(std::uint32_t slot) {
    Place& place = places_[slot];
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

  /// Where the flow of a slot is listed.
  struct Place {
    std::array<std::uint32_t, 2> chain;  // [Side]
    std::array<std::uint32_t, 2> entry;  // [Side]
    std::uint32_t flow;
    Side holder;
  };

  std::uint32_t take_slot() {
    if (free_slots_.empty()) {
      places_.emplace_back();
      return static_cast<std::uint32_t>(places_.size() - 1);
    }
    const std::uint32_t slot = free_slots_.back();
    free_slots_.pop_back();
    return slot;
  }

  void begin_hold(Place& place, Side side) {
    List& list = lists_[place.chain[side]];
    exchange(side, place.entry[side], list.first + list.held++);
    place.holder = side;
  }

  void end_hold(Place& place) {
    List& list = lists_[place.chain[place.holder]];
    exchange(place.holder, place.entry[place.holder], list.first + --list.held);
  }

  void put(std::size_t side, std::uint32_t entry, std::uint32_t peer, std::uint32_t slot) {
    peer_[entry] = peer;
    slot_[entry] = slot;
    places_[slot].entry[side] = entry;
  }

  void exchange(std::size_t side, std::uint32_t a, std::uint32_t b) {
    const std::uint32_t peer = peer_[a];
    const std::uint32_t slot = slot_[a];
    put(side, a, peer_[b], slot_[b]);
    put(side, b, peer, slot);
  }

  const FlowGraph* graph_;
  std::uint32_t flow_count_ = 0;
  std::vector<List> lists_;                  // [chains]
  std::vector<Place> places_;                // [slots]
  std::vector<std::uint32_t> free_slots_;    // the latest last
  std::vector<std::uint32_t> slot_of_flow_;  // [flows]
  std::vector<std::uint32_t> peer_;          // [entries] other chain of the flow
  std::vector<std::uint32_t> slot_;          // [entries]
};

}  // namespace switchyard
