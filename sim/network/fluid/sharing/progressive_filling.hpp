// Max-min fair rates from nothing, for runs whose events are too large for MaxMinSolver to follow:
// link by link, the one that grants least first, each freezing the flows it is the first to fill.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "sim/network/fluid/sharing/live_flows.hpp"
#include "sim/network/fluid/sharing/max_min_solver.hpp"

namespace switchyard {

class ProgressiveFilling {
 public:
  /// `graph` and `limits.incast` must outlive this.
  ProgressiveFilling(const FlowGraph& graph, const SharingLimits& limits);

  /// Fair rates of the members while each chain also carries `fixed_load` [chains] bytes/s.
  void fill(const LiveFlows& members, std::span<const double> fixed_load);

  /// [chains] the highest rate that the chain's links grant; a flow gets the lower of its two.
  [[nodiscard]] const std::vector<double>& levels() const { return level_; }

  /// The link that sets the chain's level; kNone if none is full.
  [[nodiscard]] std::uint32_t filled_link(std::uint32_t chain) const { return filled_by_[chain]; }

  /// Flows that run at the link's level because of it.
  [[nodiscard]] double flows_held(std::uint32_t link) const { return held_[link]; }

  /// What is left of the link's capacity, bytes/s; below zero only by rounding. All of it for a
  /// link that never limits.
  [[nodiscard]] double unused_capacity(std::uint32_t link) const;

 private:
  struct LinkChain {
    std::uint32_t chain;
    double share;
  };

  /// What is on a chain so far: rates of its frozen flows, and how many are not frozen yet.
  struct Tally {
    double load;
    double flows;
  };

  /// Level of a link and the flows that it would freeze, times their shares.
  struct Grant {
    double level;
    double flows;
    double left;  // capacity not taken by frozen flows
  };

  [[nodiscard]] std::span<const LinkChain> chains_of(std::uint32_t link) const {
    return std::span(link_chains_)
        .subspan(link_offsets_[link], link_offsets_[link + 1] - link_offsets_[link]);
  }

  bool fill_from_keys(const LiveFlows& members, std::span<const double> fixed_load);
  void start(const LiveFlows& members, std::span<const double> fixed_load);
  [[nodiscard]] Grant grant_of(std::uint32_t link) const;
  void freeze(std::uint32_t link, const Grant& grant, const LiveFlows& members);
  void push(double key, std::uint32_t link);

  const FlowGraph& graph_;
  SharingLimits limits_;
  std::vector<std::uint32_t> link_offsets_;  // [links + 1] into link_chains_
  std::vector<LinkChain> link_chains_;       // of the links that can limit
  std::vector<double> capacity_;             // [links] after incast
  std::vector<double> key_;               // [links] where to start looking; 0 = from an even split
  std::vector<double> held_;              // [links]
  std::vector<Tally> tally_;              // [chains]
  std::vector<double> total_;             // [chains] rates of all its flows, once frozen
  std::vector<double> level_;             // [chains]
  std::vector<std::uint32_t> filled_by_;  // [chains]
  std::vector<std::pair<double, std::uint32_t>> heap_;
};

}  // namespace switchyard
