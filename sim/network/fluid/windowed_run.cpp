// One pass over all flows and one fill per window; see the header for the method.
#include "sim/network/fluid/windowed_run.hpp"

#include <algorithm>
#include <numeric>

#include "sim/network/fluid/component_runs.hpp"
#include "sim/network/fluid/sharing/progressive_filling.hpp"

namespace switchyard {
namespace {

constexpr double kGrowth = 4;                // longest window, in epsilon x time since the start
constexpr double kShortestCut = 0.25;        // shortest for the sake of a start, likewise
constexpr double kCrowd = 2;                 // most ends in a window, in epsilon x flows under way
constexpr std::size_t kExactTail = 2048;     // the exact engine takes over at this many flows left,
constexpr std::size_t kExactTailShare = 16;  // or at this fraction of them if that is fewer
constexpr std::size_t kSample = 8192;        // flows looked at to size the first window
// Links that hold this many flows or fewer are followed end by end in the first window.
constexpr double kFewFlows = 32;
constexpr std::size_t kMostFollowed = 32768;

class WindowedRun {
 public:
  WindowedRun(const FlowGraph& graph,
              const SharingLimits& limits,
              const FlowDemand& demand,
              std::span<const double> start_s,
              double epsilon)
      : graph_(graph),
        limits_(limits),
        latency_s_(demand.latency_s),
        start_s_(start_s),
        epsilon_(epsilon),
        members_(graph),
        filling_(graph, limits),
        finish_s_(graph.flow_count(), 0),
        left_(demand.bytes.begin(), demand.bytes.end()),
        charged_(graph.chain_count(), 0),
        by_start_(graph.flow_count()) {
    std::iota(by_start_.begin(), by_start_.end(), 0U);
    if (!std::ranges::is_sorted(start_s)) {
      std::ranges::stable_sort(by_start_, {}, [&](std::uint32_t flow) { return start_s[flow]; });
    }
  }

  std::vector<double> run() && {
    const std::size_t tail = std::min(kExactTail, left_.size() / kExactTailShare);
    while (members_.flow_count() + by_start_.size() - started_ > tail) {
      if (members_.flow_count() == 0) {
        begin_busy_period();
      } else {
        step();
      }
    }
    run_tail();
    for (std::size_t flow = 0; flow < finish_s_.size(); ++flow) {
      finish_s_[flow] += static_cast<double>(latency_s_[flow]);
    }
    return std::move(finish_s_);
  }

 private:
  /// A flow that ends in the present window, so many seconds after its beginning.
  struct Ending {
    std::uint32_t flow;
    double after;
  };

  void begin_busy_period() {
    now_ = std::max(now_, start_s_[by_start_[started_]]);
    begin_ = now_;
    period_ = started_;
    std::ranges::fill(charged_, 0);
    start_flows();
    filling_.fill(members_, charged_);
    last_window_ = 0;
    window_ = first_window();
  }

  void step() {
    const double under_way = members_.flow_count();
    collect_endings();
    followed_.clear();
    if (last_window_ == 0) {
      follow_small_links();
    }
    shorten_window(std::max(1.0, epsilon_ * under_way));
    std::ranges::copy_if(followed_, std::back_inserter(endings_), [&](const Ending& ending) {
      return ending.after <= window_;
    });
    end_flows();
    start_flows();
    filling_.fill(members_, charged_);
    now_ += window_;
    last_window_ = window_;
    // At least one end is wanted, or windows without any would shrink for ever.
    const double wanted = std::max(1.0, epsilon_ * under_way);
    window_ *= std::clamp(
        wanted / static_cast<double>(std::max<std::size_t>(1, endings_.size())), 0.5, 2.0);
    if (endings_.empty()) {
      window_ *= 2;
    }
    window_ = std::min(window_, kGrowth * epsilon_ * (now_ - begin_));
    if (started_ < by_start_.size()) {
      const double shortest = kShortestCut * epsilon_ * (now_ - begin_);
      window_ = std::min(window_, std::max(shortest, start_s_[by_start_[started_]] - now_));
    }
  }

  void start_flows() {
    while (started_ < by_start_.size() && start_s_[by_start_[started_]] <= now_) {
      members_.insert(by_start_[started_++], kSourceSide);
    }
  }

  /// How long the first `epsilon` of the flows take, by a sample of them; flows of small links
  /// count only if there are no others.
  [[nodiscard]] double first_window() const {
    const std::size_t stride = 1 + (started_ - period_) / kSample;
    std::vector<double> times;
    for (const bool with_small : {false, true}) {
      for (std::size_t k = period_; k < started_ && times.size() < kSample; k += stride) {
        if (with_small || !is_on_small_link(by_start_[k])) {
          times.push_back(left_[by_start_[k]] / rate_of(by_start_[k]));
        }
      }
      if (!times.empty()) {
        break;
      }
    }
    const auto chosen =
        times.begin() + static_cast<std::ptrdiff_t>(epsilon_ * static_cast<double>(times.size()));
    std::ranges::nth_element(times, chosen);
    return *chosen;
  }

  /// The chain whose link sets the flow's rate.
  [[nodiscard]] std::uint32_t holder_of(std::uint32_t flow) const {
    const std::uint32_t near = graph_.flow_chains[kSourceSide][flow];
    const std::uint32_t far = graph_.flow_chains[kDestinationSide][flow];
    return filling_.levels()[near] <= filling_.levels()[far] ? near : far;
  }

  [[nodiscard]] double rate_of(std::uint32_t flow) const {
    return filling_.levels()[holder_of(flow)];
  }

  [[nodiscard]] bool is_on_small_link(std::uint32_t flow) const {
    const std::uint32_t link = filling_.filled_link(holder_of(flow));
    return link != kNone && filling_.flows_held(link) <= kFewFlows;
  }

  /// Moves all flows through the last window and finds those that end in the present one.
  void collect_endings() {
    endings_.clear();
    const double* levels = filling_.levels().data();
    double* all_left = left_.data();
    const double last_window = last_window_;
    const double window = window_;
    for (std::uint32_t chain = 0; chain < graph_.chain_count(); ++chain) {
      if (graph_.chain_side[chain] != kSourceSide) {
        continue;
      }
      const std::span<const std::uint32_t> flows = members_.flows(chain);
      const std::span<const std::uint32_t> peers = members_.peers(chain);
      const double level = levels[chain];
      for (std::size_t k = 0; k < flows.size(); ++k) {
        const double rate = std::min(level, levels[peers[k]]);
        const double left = all_left[flows[k]] - rate * last_window;
        all_left[flows[k]] = left;
        if (left <= rate * window) {
          endings_.push_back({flows[k], rate > 0 ? left / rate : 0.0});
        }
      }
    }
  }

  /// Ends the window early if it has many more than the `wanted` ends.
  void shorten_window(double wanted) {
    if (static_cast<double>(endings_.size()) <= kCrowd * wanted) {
      return;
    }
    const auto last = endings_.begin() + static_cast<std::ptrdiff_t>(wanted);
    std::ranges::nth_element(endings_, last, {}, &Ending::after);
    if (last->after > 0) {
      window_ = last->after;
      std::erase_if(endings_, [&](const Ending& ending) { return ending.after > window_; });
    }
  }

  /// A link with a handful of flows (NVLink, beside NICs shared by hundreds) may see most of them
  /// end in the first window, each speeding up the next. Its flows are run exactly, on what the
  /// others leave them at their present rates.
  void follow_small_links() {
    std::vector<std::uint32_t> flows;
    std::copy_if(by_start_.begin() + static_cast<std::ptrdiff_t>(period_),
                 by_start_.begin() + static_cast<std::ptrdiff_t>(started_),
                 std::back_inserter(flows),
                 [&](std::uint32_t flow) { return is_on_small_link(flow); });
    if (flows.empty() || flows.size() > kMostFollowed) {
      return;
    }
    std::erase_if(endings_, [&](const Ending& ending) { return is_on_small_link(ending.flow); });
    std::ranges::sort(flows);
    Component apart = extract_component(graph_, std::move(flows));
    leave_to_others(apart);
    const std::vector<double> after = run_rest(apart, {});
    for (std::size_t k = 0; k < after.size(); ++k) {
      followed_.push_back({apart.flows[k], after[k]});
    }
  }

  /// Takes the rates of all flows outside the component off its capacities.
  void leave_to_others(Component& component) const {
    std::vector<double> own(component.links.size(), 0);
    for (std::size_t k = 0; k < component.flows.size(); ++k) {
      for (const auto& chains : component.graph.flow_chains) {
        for (const ChainLink& hop : component.graph.links_of(chains[k])) {
          own[hop.link] += hop.share * rate_of(component.flows[k]);
        }
      }
    }
    for (std::size_t link = 0; link < own.size(); ++link) {
      const double unused = filling_.unused_capacity(component.links[link]);
      component.graph.capacity[link] = own[link] + std::max(0.0, unused);
    }
  }

  void end_flows() {
    std::ranges::fill(charged_, 0);
    for (const Ending& ending : endings_) {
      finish_s_[ending.flow] = now_ + ending.after;
      for (const auto& chains : graph_.flow_chains) {
        charged_[chains[ending.flow]] += left_[ending.flow] / window_;
      }
      members_.erase(ending.flow);
    }
  }

  /// Exact times of a component's flows from now on, in seconds from now.
  [[nodiscard]] std::vector<double> run_rest(Component& component,
                                             std::span<const IncastPoint> incast) const {
    std::vector<double> bytes;
    std::vector<double> starts;
    for (const std::uint32_t flow : component.flows) {
      bytes.push_back(left_[flow]);
      starts.push_back(std::max(0.0, start_s_[flow] - now_));
    }
    const std::vector<float> latency(component.flows.size(), 0.0F);
    return run_components(
               std::move(component.graph), {limits_.rate_cap, incast}, {bytes, latency}, starts, {})
        .finish_s;
  }

  /// The last flows, exactly.
  void run_tail() {
    std::vector<std::uint32_t> rest(by_start_.begin() + static_cast<std::ptrdiff_t>(started_),
                                    by_start_.end());
    for (std::uint32_t chain = 0; chain < graph_.chain_count(); ++chain) {
      if (graph_.chain_side[chain] != kSourceSide) {
        continue;
      }
      for (const std::uint32_t flow : members_.flows(chain)) {
        const double rate = rate_of(flow);
        left_[flow] -= rate * last_window_;
        if (left_[flow] > 0) {
          rest.push_back(flow);
        } else {
          finish_s_[flow] = now_ + left_[flow] / rate;
        }
      }
    }
    if (rest.empty()) {
      return;
    }
    std::ranges::sort(rest);
    Component tail = extract_component(graph_, std::move(rest));
    const std::vector<double> after = run_rest(tail, limits_.incast);
    for (std::size_t k = 0; k < after.size(); ++k) {
      finish_s_[tail.flows[k]] = now_ + after[k];
    }
  }

  const FlowGraph& graph_;
  SharingLimits limits_;
  std::span<const float> latency_s_;
  std::span<const double> start_s_;
  double epsilon_;
  ChainMembers members_;
  ProgressiveFilling filling_;
  std::vector<double> finish_s_;         // [flows]
  std::vector<double> left_;             // [flows] bytes left at now_ - last_window_
  std::vector<double> charged_;          // [chains] bytes/s for the flows that end in the window
  std::vector<std::uint32_t> by_start_;  // flows in order of start
  std::size_t started_ = 0;              // flows started so far, in that order
  std::size_t period_ = 0;               // flows started before this busy period
  std::vector<Ending> endings_;
  std::vector<Ending> followed_;
  double begin_ = 0;        // of the busy period
  double now_ = 0;          // beginning of the window
  double window_ = 0;       // its length
  double last_window_ = 0;  // length of the one before, 0 at the start of a busy period
};

}  // namespace

std::vector<double> run_windowed(const FlowGraph& graph,
                                 const SharingLimits& limits,
                                 const FlowDemand& demand,
                                 std::span<const double> start_s,
                                 double epsilon) {
  return WindowedRun(graph, limits, demand, start_s, epsilon).run();
}

}  // namespace switchyard
