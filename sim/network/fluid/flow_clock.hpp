// When does the next flow end? All flows that one chain holds run at that chain's rate, so each
// chain keeps a clock that counts the bytes such a flow has moved, and a flow ends when the clock
// reaches the reading noted at its start. Rates may change at every event without touching a flow;
// only a change of the holding chain rewrites its note.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/network/fluid/sharing/chain_members.hpp"

namespace switchyard {

class FlowClock {
 public:
  explicit FlowClock(std::size_t chains);

  /// `chain` begins to hold the flow of `slot`, which has `bytes` left.
  void hold(std::uint32_t chain, std::uint32_t slot, double bytes) {
    const double reading = moved_[chain] + bytes;
    if (slot >= end_reading_.size()) {
      end_reading_.resize(slot + std::size_t{1});
    }
    end_reading_[slot] = reading;
    if (reading < earliest_[chain]) {
      earliest_[chain] = reading;
      is_stale_[chain] = 0;
    }
  }

  /// `chain` no longer holds the flow of `slot`; returns the bytes it has left.
  double let_go(std::uint32_t chain, std::uint32_t slot) {
    if (end_reading_[slot] <= earliest_[chain]) {
      is_stale_[chain] = 1;
    }
    return end_reading_[slot] - moved_[chain];
  }

  /// From now on the flows that `chain` holds run at `rate` > 0 bytes/s.
  void set_rate(std::uint32_t chain, double rate, double inverse) {
    rate_[chain] = rate;
    inverse_rate_[chain] = inverse;
  }

  /// Seconds from now to the next end of a flow; infinity if there is none.
  double time_to_next_end(const ChainMembers& members);

  /// Appends the flows that end within `limit` seconds, to be called after time_to_next_end.
  void collect_ends(const ChainMembers& members, double limit, std::vector<std::uint32_t>& flows);

  void advance(double seconds);

 private:
  double first_end_in_block(std::uint32_t block, const ChainMembers& members);
  void refresh(std::uint32_t chain, const ChainMembers& members);

  std::uint32_t chain_count_;
  std::vector<double> moved_;           // [chains, padded] the clock: bytes per held flow so far
  std::vector<double> earliest_;        // [chains, padded] lowest end reading; a bound if stale
  std::vector<double> rate_;            // [chains, padded]
  std::vector<double> inverse_rate_;    // [chains, padded]
  std::vector<double> block_next_;      // [chains / kBlock] time to the first end in the block
  std::vector<std::uint8_t> is_stale_;  // [chains] the flow with the lowest reading has left
  std::vector<double> end_reading_;     // [slots]
};

}  // namespace switchyard
