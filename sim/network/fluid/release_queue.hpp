// Decides when each transfer of a schedule may start: rank offsets and launch overhead,
// dependencies, the window of outstanding transfers and the overhead per message. Knows nothing of
// bandwidth; the caller reports arrivals and asks what to start next.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <utility>
#include <vector>

#include "sim/network/fluid/exact_run.hpp"
#include "sim/network/network.hpp"
#include "sim/schedule.hpp"

namespace switchyard {

/// The rules, which every network follows:
/// - rank r issues nothing before launch_overhead + start_offsets[r];
/// - a transfer waits until everything it depends on has arrived (finish_s, latency included);
/// - with a window of k, a rank issues strictly in index order and has at most k transfers that
///   were issued and have not arrived; without one, it issues whatever is ready, lowest index
///   first;
/// - after issuing m messages at t, a rank issues no more before t + m * message_overhead.
class ReleaseQueue : public FlowSource {
 public:
  ReleaseQueue(const Schedule& schedule, const NetworkOptions& options);

  /// Time of the next release that no further arrival can bring forward; infinity if there is none.
  [[nodiscard]] double next_time() const override {
    return timers_.empty() ? std::numeric_limits<double>::infinity() : timers_.top().first;
  }

  /// Appends the transfers to start at next_time(), ascending per rank.
  void release(std::vector<std::uint32_t>& transfers) override;

  /// `transfer` arrived at `now`; what it allows to start shows up in next_time().
  void arrived(std::uint32_t transfer, double now) override;

  /// True if all transfers start when their rank does, so that nothing waits for an arrival.
  [[nodiscard]] static bool is_all_at_once(const Schedule& schedule, const NetworkOptions& options);

  /// When rank issues its first transfer at the earliest.
  [[nodiscard]] static double entry_time(const NetworkOptions& options, std::size_t rank);

 private:
  using Timer = std::pair<double, std::uint32_t>;  // time, rank
  template <class T>
  using LowestFirst = std::priority_queue<T, std::vector<T>, std::greater<>>;

  struct Rank {
    double free_at = 0;             // no message before this
    std::uint32_t in_flight = 0;
    std::uint32_t next = 0;         // with a window: position in queue_ of the next transfer
    std::uint32_t end = 0;
    bool has_timer = false;
    LowestFirst<std::uint32_t> ready;  // without a window
  };

  void arm(std::uint32_t rank, double now);
  [[nodiscard]] bool can_issue(const Rank& rank) const;
  std::uint32_t take_next(Rank& rank);

  const Schedule& schedule_;
  double message_overhead_;
  std::uint32_t window_;
  std::vector<Rank> ranks_;
  std::vector<std::uint32_t> queue_;         // transfers by rank, index order; only with a window
  std::vector<std::uint32_t> waiting_for_;   // [transfers] dependencies left; empty without any
  std::vector<std::uint32_t> dependent_offsets_;
  std::vector<std::uint32_t> dependents_;
  LowestFirst<Timer> timers_;
};

}  // namespace switchyard
