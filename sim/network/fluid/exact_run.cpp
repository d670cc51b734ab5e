// The event loop. Parts meet only in what starts when, so an event moves on and re-solves none but
// the parts that it touches; the others wait at the time of their own last event. Ends closer
// together than kMerge are one event: symmetric traffic ends in large groups whose members differ
// by rounding only, and each group costs one re-solve.
#include "sim/network/fluid/exact_run.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <queue>
#include <utility>

#include "core/check.hpp"

namespace switchyard {
namespace {

constexpr double kMergeStep = 1e-13;  // relative to the time since the last event
constexpr double kMergeTime = 1e-15;  // relative to the time since the start
constexpr double kNever = std::numeric_limits<double>::infinity();

/// Which part has the earliest time; a change costs the logarithm of the parts, for each node of a
/// tree has the earlier of two.
class EarliestPart {
 public:
  explicit EarliestPart(std::size_t parts)
      : leaves_(std::bit_ceil(parts)), first_(2 * leaves_, kNever) {}

  [[nodiscard]] double time() const { return first_[1]; }

  /// The part that has it; the lowest number of those that tie.
  [[nodiscard]] std::uint32_t part() const {
    std::size_t node = 1;
    while (node < leaves_) {
      node *= 2;
      node += first_[node] == first_[1] ? 0 : 1;
    }
    return static_cast<std::uint32_t>(node - leaves_);
  }

  void set(std::uint32_t part, double time) {
    std::size_t node = leaves_ + part;
    first_[node] = time;
    for (node /= 2; node > 0; node /= 2) {
      first_[node] = std::min(first_[2 * node], first_[2 * node + 1]);
    }
  }

 private:
  std::size_t leaves_;
  std::vector<double> first_;  // [2 x leaves] node k has the earlier of nodes 2k and 2k + 1
};

class ExactRun {
 public:
  ExactRun(std::span<const double> bytes, std::size_t parts, FlowSource& source)
      : bytes_(bytes), source_(source), ends_(parts) {
    parts_.reserve(parts);
    times_.start_s.assign(bytes.size(), kNever);
    times_.finish_s.assign(bytes.size(), kNever);
  }

  /// `flows` as in Component; empty if the part is the whole.
  void add_part(const FlowGraph& graph,
                const SharingLimits& limits,
                std::span<const std::uint32_t> flows) {
    const auto part = static_cast<std::uint32_t>(parts_.size());
    parts_.emplace_back(graph, limits, flows);
    place_.resize(flows.empty() ? 0 : bytes_.size());
    for (std::uint32_t k = 0; k < flows.size(); ++k) {
      place_[flows[k]] = {part, k};
    }
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

  struct Part {
    Part(const FlowGraph& whole, const SharingLimits& limits, std::span<const std::uint32_t> which)
        : graph(&whole), flows(which), solver(whole, limits) {}

    const FlowGraph* graph;
    std::span<const std::uint32_t> flows;  // their numbers in the whole; empty = the same
    MaxMinSolver solver;
    double now = 0;             // what `solver` has been advanced to
    double until_end = kNever;  // from `now` to the next end of a flow
    bool is_touched = false;    // flows have come or gone since the last settle
  };

  /// Where a flow of the whole is.
  struct Place {
    std::uint32_t part;
    std::uint32_t flow;
  };

  [[nodiscard]] Place place_of(std::uint32_t flow) const {
    return place_.empty() ? Place{0, flow} : place_[flow];
  }

  bool step() {
    const double next_end = ends_.time();
    double next_other = source_.next_time();
    if (!finishes_.empty()) {
      next_other = std::min(next_other, finishes_.top().first);
    }
    if (next_end == kNever && next_other == kNever) {
      return false;
    }
    if (next_end <= next_other) {
      const double merged = (next_end - now_) * kMergeStep + next_end * kMergeTime;
      now_ = next_end;
      while (ends_.time() <= now_ + merged) {
        end_flows(ends_.part(), now_ + merged);
      }
    } else {
      now_ = next_other;
    }
    deliver();
    start_flows();
    settle();
    return true;
  }

  /// Brings the part to the present, before flows come or go.
  Part& touch(std::uint32_t number) {
    Part& part = parts_[number];
    if (!part.is_touched) {
      part.solver.advance(std::max(0.0, now_ - part.now));
      part.now = now_;
      part.is_touched = true;
      touched_.push_back(number);
    }
    return part;
  }

  /// Ends the part's flows that are due by `limit`; settle() puts its next end back in the list.
  void end_flows(std::uint32_t number, double limit) {
    flows_.clear();
    Part& part = parts_[number];
    part.solver.collect_ends(std::max(part.until_end, limit - part.now), flows_);
    touch(number);
    for (const std::uint32_t flow : flows_) {
      const std::uint32_t whole = part.flows.empty() ? flow : part.flows[flow];
      part.solver.remove(flow);
      times_.finish_s[whole] = now_ + part.graph->latency_s(flow);
      finishes_.emplace(times_.finish_s[whole], whole);
    }
    ends_.set(number, kNever);
  }

  void deliver() {
    while (!finishes_.empty() && finishes_.top().first <= now_) {
      source_.finished(finishes_.top().second, now_);
      finishes_.pop();
    }
  }

  void start_flows() {
    flows_.clear();
    while (source_.next_time() <= now_) {
      source_.release(flows_);
    }
    for (const std::uint32_t flow : flows_) {
      const Place place = place_of(flow);
      times_.start_s[flow] = now_;
      touch(place.part).solver.add(place.flow, bytes_[flow]);
    }
  }

  void settle() {
    for (const std::uint32_t number : touched_) {
      Part& part = parts_[number];
      part.is_touched = false;
      if (part.solver.flow_count() > 0) {
        part.solver.settle();
        part.until_end = part.solver.time_to_next_end();
      } else {
        part.until_end = kNever;
      }
      ends_.set(number, now_ + part.until_end);
    }
    touched_.clear();
  }

  std::vector<Part> parts_;
  std::vector<Place> place_;  // [flows] of the whole; empty if that is the only part
  std::span<const double> bytes_;
  FlowSource& source_;
  EarliestPart ends_;
  FlowTimes times_;
  double now_ = 0;
  std::priority_queue<Finish, std::vector<Finish>, std::greater<>> finishes_;
  std::vector<std::uint32_t> flows_;
  std::vector<std::uint32_t> touched_;
};

}  // namespace

FlowTimes run_exact(const FlowGraph& graph,
                    const SharingLimits& limits,
                    std::span<const double> bytes,
                    FlowSource& source,
                    double until) {
  ExactRun run(bytes, 1, source);
  run.add_part(graph, limits, {});
  return std::move(run).run(until);
}

FlowTimes run_exact(std::span<const Component> parts,
                    const SharingLimits& limits,
                    std::span<const double> bytes,
                    FlowSource& source) {
  ExactRun run(bytes, parts.size(), source);
  for (const Component& part : parts) {
    run.add_part(part.graph, limits, part.flows);
  }
  return std::move(run).run(kNever);
}

}  // namespace switchyard
