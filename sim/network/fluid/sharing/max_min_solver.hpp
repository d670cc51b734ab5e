// Exact max-min fair rates, kept up to date while flows come and go.
//
// Links are kept in an order; the rate ("level") that a link grants is found from its capacity and
// the links before it alone:
//
//   level(x) = (capacity(x) - rates of flows held before x) / (flows first held at x).
//
// A flow is held by whichever of its two chains has the earliest link. If the levels come out
// non-decreasing along the order, every flow runs at the level of its slowest link, every link with
// a level is full, and that allocation is the one and only max-min fair one. So a re-solve walks
// the old order from the first link that an event touched, and only where a level falls out of
// order is that link moved and the flows it shares with the links it passed handed over. The
// surprise: an event changes nearly all rates a little but moves one or two links, which is why
// this beats re-filling from nothing, and since each level is computed afresh from its equation,
// no error builds up.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "sim/network/fluid/flow_clock.hpp"
#include "sim/network/fluid/sharing/chain_members.hpp"
#include "sim/network/fluid/sharing/flow_graph.hpp"
#include "sim/network/fluid/sharing/load_bounds.hpp"
#include "sim/network/network.hpp"

namespace switchyard {

/// What limits flows besides the links' capacities.
struct SharingLimits {
  double rate_cap = std::numeric_limits<double>::infinity();  // bytes/s of any one flow
  std::span<const IncastPoint> incast = {};                   // link efficiency by flows on it
};

/// Share of its capacity that a link with `flows` flows carries.
double incast_efficiency(std::span<const IncastPoint> curve, std::uint32_t flows);

class MaxMinSolver {
 public:
  /// `graph` and `limits.incast` must outlive the solver.
  MaxMinSolver(const FlowGraph& graph, const SharingLimits& limits);

  /// Puts a flow with `bytes` > 0 left under way / takes it off. Rates are stale until settle().
  void add(std::uint32_t flow, double bytes);
  void remove(std::uint32_t flow);

  /// Brings all rates up to date.
  void settle();

  /// Bytes/s of a flow under way.
  [[nodiscard]] double rate(std::uint32_t flow) const {
    return rate_[members_.holder(members_.slot_of(flow))];
  }

  [[nodiscard]] std::uint32_t flow_count() const { return members_.flow_count(); }

  /// Seconds to the next end of a flow at the present rates; infinity without flows.
  [[nodiscard]] double time_to_next_end() { return clock_.time_to_next_end(members_); }

  /// Appends the flows that end within `limit` seconds; call time_to_next_end() first.
  void collect_ends(double limit, std::vector<std::uint32_t>& flows) {
    clock_.collect_ends(members_, limit, flows);
  }

  void advance(double seconds) { clock_.advance(seconds); }

  /// How much work was done; for benchmarks and for tests of the method.
  struct Effort {
    std::uint64_t settles = 0;
    std::uint64_t levels = 0;  // level equations evaluated
    std::uint64_t moves = 0;   // links moved in the order
  };

  [[nodiscard]] const Effort& effort() const { return effort_; }

 private:
  // A chain of a link, with the share of the chain's traffic that crosses it.
  struct LinkChain {
    std::uint32_t chain;
    double share;
  };

  [[nodiscard]] std::span<const LinkChain> chains_of(std::uint32_t link) const {
    return std::span(link_chains_)
        .subspan(link_offsets_[link], link_offsets_[link + 1] - link_offsets_[link]);
  }

  /// In no particular order.
  [[nodiscard]] std::span<const std::uint32_t> active_links_of(std::uint32_t chain) const {
    return {active_link_.data() + graph_.chain_offsets[chain], active_count_[chain]};
  }

  [[nodiscard]] std::uint32_t position_of_chain(std::uint32_t chain) const {
    const std::uint32_t link = first_link_[chain];
    return link == kNone ? kNone : position_[link];
  }

  [[nodiscard]] bool is_surely_idle(std::uint32_t link) {
    return held_on_link_[link] == 0 && bounds_.has_room(link, capacity_[link]);
  }

  double level_of(std::uint32_t link);
  [[nodiscard]] double load_of(std::uint32_t chain) const;
  void grant(std::uint32_t link, double level);
  void rest(std::uint32_t link);
  [[nodiscard]] double level_from_rates(std::uint32_t link);
  [[nodiscard]] std::uint32_t place_among(double level, std::uint32_t end) const;
  void move_earlier(std::uint32_t from, std::uint32_t to, double level);
  void move_later(std::uint32_t from, double level);
  void hand_over(std::uint32_t slot);
  void hand_over_passed(std::uint32_t chain);
  void count_move();

  void find_first_link(std::uint32_t chain);
  void count_held(std::uint32_t chain, std::int32_t flows);
  void activate(std::uint32_t link);
  void deactivate(std::uint32_t link);
  [[nodiscard]] bool is_dominated(std::uint32_t link) const;
  void update_capacity(std::uint32_t link);

  /// The equation of an active link may have changed.
  void mark(std::uint32_t link) {
    dirty_count_ += is_dirty_[link] == 0 ? 1 : 0;
    is_dirty_[link] = 1;
  }

  void unmark(std::uint32_t link) {
    dirty_count_ -= is_dirty_[link];
    is_dirty_[link] = 0;
  }

  void mark_links_of(std::uint32_t chain) {
    for (const std::uint32_t link : active_links_of(chain)) {
      mark(link);
    }
  }

  void mark_links_of_all(std::span<const std::uint32_t> chains);
  void build_order();
  void choose_marking();

  const FlowGraph& graph_;
  SharingLimits limits_;
  ChainMembers members_;
  FlowClock clock_;
  LoadBounds bounds_;

  std::vector<std::uint32_t> link_offsets_;  // [links + 1] into link_chains_
  std::vector<LinkChain> link_chains_;
  std::vector<double> capacity_;              // [links] after incast
  std::vector<std::uint32_t> flows_on_link_;  // [links], only kept up with an incast curve
  std::vector<std::uint32_t> held_on_link_;   // [links] flows held by chains first in order there

  std::vector<std::uint32_t> order_;      // active links; levels ascend
  std::vector<std::uint32_t> position_;   // [links] in order_, kNone = inactive
  std::vector<double> level_;             // [links] rate it grants; the rate cap if it isn't full
  std::vector<std::uint32_t> is_dirty_;   // [links] 1 = an input of its equation may have changed
  std::uint32_t dirty_count_ = 0;         // of the active links
  std::vector<std::uint8_t> is_resting_;  // [links] 1 = loads of chains first there are not kept up

  std::vector<std::uint32_t>
      active_link_;  // [chain_links] of each chain, at the front of its slots
  std::vector<std::uint32_t> active_count_;  // [chains]
  std::vector<std::uint32_t> first_link_;    // [chains] its earliest link in the order
  std::vector<double> rate_;                 // [chains] level of that link
  std::vector<double> foreign_sum_;          // [chains] rates of the flows it does not hold
  std::vector<double> load_;                 // [chains] rates of all its flows

  std::vector<double> scratch_rate_;
  std::vector<double> scratch_share_;
  std::uint32_t first_affected_ = 0;  // position from which levels may have changed
  bool is_ordered_ = false;
  bool is_marking_ = false;  // worth it while chains are short: evaluate dirty links only
  double tolerance_ = 0;     // how far levels may be out of order, relative
  std::uint32_t moves_left_ = 0;
  Effort effort_;
};

}  // namespace switchyard
