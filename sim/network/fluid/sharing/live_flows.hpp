// The flows under way of a windowed run, listed by chain. Every window goes once over all of them,
// so the lists are laid out to be read from one end to the other: what a flow has left lies beside
// its far chain's number, and the far chains know only which near chains their flows come from.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/network/fluid/sharing/flow_graph.hpp"

namespace switchyard {

class LiveFlows {
 public:
  /// `graph` must outlive this.
  explicit LiveFlows(const FlowGraph& graph);

  [[nodiscard]] std::size_t flow_count() const { return flow_count_; }

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

  void insert(std::uint32_t flow, double bytes);

  /// Where a near chain's flows are listed: entries of flow_of() and left().
  [[nodiscard]] std::uint32_t first_entry(std::uint32_t near_chain) const {
    return first_[near_chain];
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
  void forget_former_peers(std::uint32_t far);

  const FlowGraph* graph_;
  std::size_t flow_count_ = 0;
  std::vector<std::uint32_t> first_;                // [chains] first entry of its side
  std::vector<std::uint32_t> size_;                 // [chains]
  std::vector<std::uint32_t> flow_of_entry_;        // [flows], by near chain
  std::vector<std::uint32_t> far_of_entry_;         // [flows], by near chain: the far one
  std::vector<double> left_;                        // [flows], by near chain: bytes
  std::vector<std::uint32_t> near_of_far_;          // [flows], by far chain: the near one
  std::vector<std::vector<std::uint32_t>> former_;  // [chains] near chains of flows that left
  std::vector<std::uint32_t> leaving_;              // [chains] scratch, zero between calls
};

}  // namespace switchyard
