// Which links surely have room? Most links never fill up, and adding the rates of all their flows
// at every event only to see that again would be most of the work. So a rate is noted, with the
// loads that follow from it, only when it has moved by more than kSlack since it was noted last:
// the loads at noted rates, times kSlack, bound the true ones from above.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/network/fluid/sharing/chain_members.hpp"
#include "sim/network/fluid/sharing/flow_graph.hpp"

namespace switchyard {

class LoadBounds {
 public:
  /// `graph` must outlive the bounds.
  explicit LoadBounds(const FlowGraph& graph)
      : graph_(graph), noted_rate_(graph.chain_count(), 0), load_(graph.link_count(), 0) {}

  /// A flow comes, goes, or is held by another chain than before.
  void add(std::uint32_t flow, std::uint32_t holder) { shift(flow, noted_rate_[holder]); }

  void remove(std::uint32_t flow, std::uint32_t holder) { shift(flow, -noted_rate_[holder]); }

  void hand_over(std::uint32_t flow, std::uint32_t from, std::uint32_t to) {
    shift(flow, noted_rate_[to] - noted_rate_[from]);
  }

  /// The flows that `chain` holds run at `rate` > 0.
  void set_rate(std::uint32_t chain, double rate, const ChainMembers& members) {
    const double noted = noted_rate_[chain];
    if (rate > noted * kSlack || rate * kSlack < noted) {
      note(chain, rate, members);
    }
  }

  /// Whether all flows of the link together are slower than `capacity`, once the rate of every
  /// chain that holds one of them is set. False if that is not sure.
  [[nodiscard]] bool has_room(std::uint32_t link, double capacity) const {
    return load_[link] * kSlack <= capacity * (1 - kRounding);
  }

 private:
  static constexpr double kSlack = 1 + 1.0 / 64;
  static constexpr double kRounding = 1e-6;  // of loads that are added to and taken from for ever

  void shift(std::uint32_t flow, double rate) {
    shift_chain(graph_.flow_chains[kSourceSide][flow], rate);
    shift_chain(graph_.flow_chains[kDestinationSide][flow], rate);
  }

  void shift_chain(std::uint32_t chain, double rate) {
    for (const ChainLink& hop : graph_.links_of(chain)) {
      load_[hop.link] += hop.share * rate;
    }
  }

  void note(std::uint32_t chain, double rate, const ChainMembers& members) {
    const double change = rate - noted_rate_[chain];
    noted_rate_[chain] = rate;
    shift_chain(chain, change * members.held_count(chain));
    for (const std::uint32_t peer : members.held_peers(chain)) {
      shift_chain(peer, change);
    }
  }

  const FlowGraph& graph_;
  std::vector<double> noted_rate_;  // [chains] bytes/s
  std::vector<double> load_;        // [links] bytes/s at noted rates
};

}  // namespace switchyard
