// The flows of a windowed run, listed by chain. Every window goes once over all that are under way,
// so the lists are laid out to be read from one end to the other: what a flow has left lies beside
// its far chain's number, and the far chains know only which near chains their flows come from.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "sim/network/fluid/sharing/flow_graph.hpp"

namespace switchyard {

class LiveFlows {
 public:
  /// `graph` and `start_s` must outlive this. Takes the flows' chains out of the graph: with
  /// millions of flows there is no room for two lists of them. `numbers` are their numbers in the
  /// whole problem, by which they are known here; empty = the same. `start_s` when each starts:
  /// [flows of the whole], or [1] if all start together.
  LiveFlows(FlowGraph& graph,
            std::span<const std::uint32_t> numbers,
            std::span<const double> start_s);

  /// Flows under way / flows that have not started.
  [[nodiscard]] std::size_t flow_count() const { return flow_count_; }

  [[nodiscard]] std::size_t waiting_count() const { return waiting_count_; }

  /// Flows on the chain.
  [[nodiscard]] std::uint32_t size(std::uint32_t chain) const { return size_[chain]; }

  /// Their other chains in no particular order, and after them `former_peers`: those of flows that
  /// have left. Lists of far chains are put in order only when a quarter of them is outdated.
  [[nodiscard]] std::span<const std::uint32_t> peers(std::uint32_t chain) const {
    const bool is_near = graph_->chain_side[chain] == kSourceSide;
    return {(is_near ? far_of_entry_ : near_of_far_).data() + first_[chain],
            size_[chain] + former_[chain].size()};
  }

  /// Other chains that peers() lists once too often.
  [[nodiscard]] std::span<const std::uint32_t> former_peers(std::uint32_t chain) const {
    return former_[chain];
  }

  /// When the next flow starts; infinity if all have.
  [[nodiscard]] double next_start() const { return next_start_; }

  /// Puts the flows that start by `now` under way; `bytes_of(flow)` says how much they have to
  /// move.
  template <class BytesOf>
  void start_due(double now, const BytesOf& bytes_of) {
    if (now < next_start_) {
      return;
    }
    next_start_ = std::numeric_limits<double>::infinity();
    for (std::uint32_t chain = 0; chain < size_.size(); ++chain) {
      while (waiting_[chain] < end_[chain] && start_of(flow_of_entry_[waiting_[chain]]) <= now) {
        start_next(chain, bytes_of(flow_of_entry_[waiting_[chain]]));
      }
      if (waiting_[chain] < end_[chain]) {
        next_start_ = std::min(next_start_, start_of(flow_of_entry_[waiting_[chain]]));
      }
    }
  }

  /// Where a flow is listed.
  struct Entry {
    std::uint32_t number;  // of flow_of(), far_of() and left()
    std::uint32_t near;    // its near chain
  };

  /// Calls visit(Entry) for every flow under way / for every flow that has not started.
  template <class Visit>
  void for_each(const Visit& visit) const {
    for (std::uint32_t chain = 0; chain < size_.size(); ++chain) {
      if (graph_->chain_side[chain] == kSourceSide) {
        for (std::uint32_t entry = first_[chain]; entry < first_[chain] + size_[chain]; ++entry) {
          visit(Entry{entry, chain});
        }
      }
    }
  }

  template <class Visit>
  void for_each_waiting(const Visit& visit) const {
    for (std::uint32_t chain = 0; chain < size_.size(); ++chain) {
      for (std::uint32_t entry = waiting_[chain]; entry < end_[chain]; ++entry) {
        visit(Entry{entry, chain});
      }
    }
  }

  [[nodiscard]] std::uint32_t flow_of(std::uint32_t entry) const { return flow_of_entry_[entry]; }

  [[nodiscard]] std::uint32_t far_of(std::uint32_t entry) const { return far_of_entry_[entry]; }

  [[nodiscard]] double left(std::uint32_t entry) const { return left_[entry]; }

  /// A flow that ends in the present window, so many seconds after its beginning.
  struct Ending {
    double after = 0;
    std::uint32_t entry = 0;
    std::uint32_t near = 0;  // its near chain
  };

  /// Moves all flows on by `past` seconds and appends those that end within `next` seconds more,
  /// both at the lower of their chains' `levels` [chains], bytes/s.
  void sweep(std::span<const double> levels,
             double past,
             double next,
             std::vector<Ending>& endings);

  /// Takes these flows off, and sorts the list by entry. The other flows' entries may change.
  void remove(std::vector<Ending>& endings);

 private:
  void list(const FlowChains& chains, std::span<const std::uint32_t> numbers);
  void sort_by_start(std::uint32_t near_chain);
  void start_next(std::uint32_t near_chain, double bytes);
  void forget_former_peers(std::uint32_t far);

  [[nodiscard]] double start_of(std::uint32_t flow) const {
    return start_s_[start_s_.size() > 1 ? flow : 0];
  }

  const FlowGraph* graph_;
  std::span<const double> start_s_;
  std::size_t flow_count_ = 0;
  std::size_t waiting_count_ = 0;
  double next_start_ = std::numeric_limits<double>::infinity();
  std::vector<std::uint32_t> first_;                // [chains] first entry of its side
  std::vector<std::uint32_t> size_;                 // [chains] flows under way, from first_ on
  std::vector<std::uint32_t> waiting_;              // [chains] near: entry of the next to start,
  std::vector<std::uint32_t> end_;                  // [chains] ... the others after it; far: none
  std::vector<std::uint32_t> flow_of_entry_;        // [flows], by near chain
  std::vector<std::uint32_t> far_of_entry_;         // [flows], by near chain: the far one
  std::vector<double> left_;                        // [flows], by near chain: bytes
  std::vector<std::uint32_t> near_of_far_;          // [flows], by far chain: the near one
  std::vector<std::vector<std::uint32_t>> former_;  // [chains] near chains of flows that left
  std::vector<std::uint32_t> leaving_;              // [chains] scratch, zero between calls
};

}  // namespace switchyard
