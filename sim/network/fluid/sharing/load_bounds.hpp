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
    if (is_kept_ && (rate > noted * kSlack || rate * kSlack < noted)) {
      note(chain, rate, members);
    }
  }

  /// Whether all flows of the link together are slower than `capacity`, once the rate of every
  /// chain that holds one of them is set. False if that is not sure.
  [[nodiscard]] bool has_room(std::uint32_t link, double capacity) {
    const bool has = is_kept_ && load_[link] * kSlack <= capacity * (1 - kRounding);
    rooms_found_ += has ? 1U : 0U;
    return has;
  }

  /// To be called once an event. Gives up for good, and no link has room any more, where following
  /// the flows costs more than it saves: few of them a chain, handed over all the time.
  void review() {
    if (++reviews_ % kTrial == 0) {
      is_kept_ = is_kept_ && flows_followed_ <= kWorth * rooms_found_;
      rooms_found_ = 0;
      flows_followed_ = 0;
    }
  }

 private:
  static constexpr double kSlack = 1 + 1.0 / 16;
  static constexpr double kRounding = 1e-6;  // of loads that are added to and taken from for ever

  void shift(std::uint32_t flow, double rate) {
    if (is_kept_ && rate != 0) {  // as it is of every flow before the first rates
      ++flows_followed_;
      shift_chain(graph_.flow_chains[kSourceSide][flow], rate);
      shift_chain(graph_.flow_chains[kDestinationSide][flow], rate);
    }
  }

  void shift_chain(std::uint32_t chain, double rate) {
    for (const ChainLink& hop : graph_.links_of(chain)) {
      load_[hop.link] += hop.share * rate;
    }
  }

  void note(std::uint32_t chain, double rate, const ChainMembers& members) {
    const double change = rate - noted_rate_[chain];
    noted_rate_[chain] = rate;
    // What the first event notes is no sign of what later ones will.
    flows_followed_ += reviews_ > 1 ? members.held_count(chain) : 0;
    shift_chain(chain, change * members.held_count(chain));
    for (const std::uint32_t peer : members.held_peers(chain)) {
      shift_chain(peer, change);
    }
  }

  static constexpr std::uint32_t kTrial = 64;  // events
  // Flows followed for each time that a link need not be looked at.
  static constexpr std::uint64_t kWorth = 2;

  const FlowGraph& graph_;
  bool is_kept_ = true;
  std::uint32_t reviews_ = 0;
  std::uint64_t rooms_found_ = 0;     // in this trial
  std::uint64_t flows_followed_ = 0;  // in this trial
  std::vector<double> noted_rate_;    // [chains] bytes/s
  std::vector<double> load_;          // [links] bytes/s at noted rates
};

}  // namespace switchyard
