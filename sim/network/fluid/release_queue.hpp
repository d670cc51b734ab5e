// Decides when each transfer of a schedule is issued; the rules are those of NetworkOptions. Knows
// nothing of bandwidth: the caller reports finishes and asks what to start next.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <utility>
#include <vector>

#include "sim/exchange/schedule.hpp"
#include "sim/network/fluid/exact_run.hpp"
#include "sim/network/network.hpp"

namespace switchyard {

class ReleaseQueue : public FlowSource {
 public:
  /// `schedule` must outlive the queue.
  ReleaseQueue(const Schedule& schedule, const NetworkOptions& options);

  [[nodiscard]] double next_time() const override {
    return timers_.empty() ? std::numeric_limits<double>::infinity() : timers_.top().first;
  }

  void release(std::vector<std::uint32_t>& transfers) override;
  void finished(std::uint32_t transfer, double now) override;

  /// True if every transfer is issued when its source enters, whatever happens on the network.
  [[nodiscard]] static bool is_all_at_once(const Schedule& schedule, const NetworkOptions& options);

 private:
  using Timer = std::pair<double, std::uint32_t>;  // time, rank
  template <class T>
  using LowestFirst = std::priority_queue<T, std::vector<T>, std::greater<>>;

  struct Rank {
    double free_at = 0;  // nothing is issued before this
    std::uint32_t in_flight = 0;
    bool has_timer = false;
    LowestFirst<std::uint32_t> ready;
  };

  void arm(std::uint32_t rank, double now);
  void read_dependencies();

  [[nodiscard]] std::uint32_t source_of(std::uint32_t transfer) const {
    return static_cast<std::uint32_t>(schedule_.source[transfer]);
  }

  const Schedule& schedule_;
  double message_overhead_;
  std::uint32_t window_;
  std::vector<Rank> ranks_;
  std::vector<std::uint32_t> waiting_for_;  // [transfers] dependencies left; empty without any
  std::vector<std::uint32_t> dependent_offsets_;
  std::vector<std::uint32_t> dependents_;
  LowestFirst<Timer> timers_;  // at most one a rank
};

/// Starts that are known beforehand.
class StartTimes : public FlowSource {
 public:
  /// In seconds: [flows], or [1] if all start together.
  StartTimes(std::span<const double> start_s, std::size_t flows);

  [[nodiscard]] double next_time() const override {
    return next_ < order_.size() ? start_of(order_[next_])
                                 : std::numeric_limits<double>::infinity();
  }

  void release(std::vector<std::uint32_t>& flows) override;

  void finished(std::uint32_t /*flow*/, double /*now*/) override {}

 private:
  [[nodiscard]] double start_of(std::uint32_t flow) const {
    return start_s_[start_s_.size() > 1 ? flow : 0];
  }

  std::span<const double> start_s_;
  std::vector<std::uint32_t> order_;
  std::size_t next_ = 0;
};

}  // namespace switchyard
