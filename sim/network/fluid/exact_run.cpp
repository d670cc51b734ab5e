// The event loop. Ends closer together than kMerge are one event: symmetric traffic ends in large
// groups whose members differ by rounding only, and each group costs one re-solve.
#include "sim/network/fluid/exact_run.hpp"

#include <algorithm>
#include <functional>
#include <queue>

#include "core/check.hpp"

namespace switchyard {
namespace {

constexpr double kMergeStep = 1e-13;  // relative to the time since the last event
constexpr double kMergeTime = 1e-15;  // relative to the time since the start

class ExactRun {
 public:
  ExactRun(const FlowGraph& graph,
           const SharingLimits& limits,
           std::span<const double> bytes,
           FlowSource& source)
      : graph_(graph), solver_(graph, limits), bytes_(bytes), source_(source) {
    times_.start_s.assign(graph.flow_count(), kNever);
    times_.finish_s.assign(graph.flow_count(), kNever);
  }

  FlowTimes run(double until) && {
    bool has_more = true;
    while (has_more && now_ <= until) {
      has_more = step();
    }
    SWITCHYARD_CHECK(has_more || std::ranges::none_of(times_.finish_s,
                                                      [](double time) { return time == kNever; }),
                     "some transfers never start");
    return std::move(times_);
  }

 private:
  using Finish = std::pair<double, std::uint32_t>;

  bool step() {
    const double until_end = solver_.flow_count() > 0 ? solver_.time_to_next_end() : kNever;
    const double next_finish = finishes_.empty() ? kNever : finishes_.top().first;
    const double next_other = std::min(source_.next_time(), next_finish);
    if (until_end == kNever && next_other == kNever) {
      return false;
    }
    bool has_changed = false;
    if (now_ + until_end <= next_other) {
      end_flows(until_end);
      has_changed = true;
    } else {
      solver_.advance(std::max(0.0, next_other - now_));
      now_ = next_other;
    }
    deliver();
    has_changed |= start_flows();
    if (has_changed && solver_.flow_count() > 0) {
      solver_.settle();
    }
    return true;
  }

  void end_flows(double until_end) {
    flows_.clear();
    solver_.collect_ends(until_end * (1 + kMergeStep) + now_ * kMergeTime, flows_);
    solver_.advance(until_end);
    now_ += until_end;
    for (const std::uint32_t flow : flows_) {
      solver_.remove(flow);
      times_.finish_s[flow] = now_ + graph_.latency_s(flow);
      finishes_.emplace(times_.finish_s[flow], flow);
    }
  }

  void deliver() {
    while (!finishes_.empty() && finishes_.top().first <= now_) {
      source_.finished(finishes_.top().second, now_);
      finishes_.pop();
    }
  }

  bool start_flows() {
    flows_.clear();
    while (source_.next_time() <= now_) {
      source_.release(flows_);
    }
    for (const std::uint32_t flow : flows_) {
      times_.start_s[flow] = now_;
      solver_.add(flow, bytes_[flow]);
    }
    return !flows_.empty();
  }

  static constexpr double kNever = std::numeric_limits<double>::infinity();

  const FlowGraph& graph_;
  MaxMinSolver solver_;
  std::span<const double> bytes_;
  FlowSource& source_;
  FlowTimes times_;
  double now_ = 0;
  std::priority_queue<Finish, std::vector<Finish>, std::greater<>> finishes_;
  std::vector<std::uint32_t> flows_;
};

}  // namespace

FlowTimes run_exact(const FlowGraph& graph,
                    const SharingLimits& limits,
                    std::span<const double> bytes,
                    FlowSource& source,
                    double until) {
  return ExactRun(graph, limits, bytes, source).run(until);
}

}  // namespace switchyard
