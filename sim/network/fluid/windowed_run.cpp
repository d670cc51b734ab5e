// One pass over all flows and one fill per window; see the header for the method.
#include "sim/network/fluid/windowed_run.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "sim/network/fluid/component_runs.hpp"
#include "sim/network/fluid/sharing/live_flows.hpp"
#include "sim/network/fluid/sharing/progressive_filling.hpp"

namespace switchyard {
namespace {

constexpr double kGrowth = 4;                // longest window, in epsilon x time since the start
constexpr double kShortestCut = 0.25;        // shortest for the sake of a start, likewise
constexpr double kCrowd = 2;                 // most ends in a window, in epsilon x flows under way
constexpr std::size_t kExactTail = 2048;     // the exact engine takes over at this many flows left,
constexpr std::size_t kExactTailShare = 16;  // or at this fraction of them if that is fewer
constexpr double kNoEnd = std::numeric_limits<double>::infinity();
constexpr std::size_t kSample = 8192;  // flows looked at to size the first window
// Links that hold this many flows or fewer are followed end by end in the first window.
constexpr double kFewFlows = 32;
constexpr std::size_t kMostFollowed = 32768;

/// A flow and where it is listed among those under way; kNone = not started.
struct Live {
  std::uint32_t flow;
  std::uint32_t entry;
};

std::vector<std::uint32_t> flows_of(std::span<const Live> live) {
  std::vector<std::uint32_t> flows(live.size());
  std::ranges::transform(live, flows.begin(), &Live::flow);
  return flows;
}

class WindowedRun {
 public:
  WindowedRun(const FlowGraph& graph,
              const SharingLimits& limits,
              std::vector<double> bytes,
              std::span<const double> start_s,
              double epsilon)
      : graph_(graph),
        limits_(limits),
        start_s_(start_s),
        epsilon_(epsilon),
        live_(graph),
        filling_(graph, limits),
        bytes_or_finish_s_(std::move(bytes)),
        charged_(graph.chain_count(), 0) {
    if (!std::ranges::is_sorted(start_s)) {  // not so if all start together
      by_start_.resize(graph.flow_count());
      std::iota(by_start_.begin(), by_start_.end(), 0U);
      std::ranges::stable_sort(by_start_, {}, [&](std::uint32_t flow) { return start_s[flow]; });
    }
  }

  std::vector<double> run() && {
    const std::size_t count = graph_.flow_count();
    const std::size_t tail = std::min(kExactTail, count / kExactTailShare);
    while (live_.flow_count() + count - started_ > tail) {
      if (live_.flow_count() == 0) {
        begin_busy_period();
      } else {
        step();
      }
    }
    run_tail();
    for (std::size_t flow = 0; flow < count; ++flow) {
      bytes_or_finish_s_[flow] += graph_.latency_s(flow);
    }
    return std::move(bytes_or_finish_s_);
  }

 private:
  using Ending = LiveFlows::Ending;

  /// The flow that starts k-th.
  [[nodiscard]] std::uint32_t starting(std::size_t k) const {
    return by_start_.empty() ? static_cast<std::uint32_t>(k) : by_start_[k];
  }

  [[nodiscard]] double start_of(std::uint32_t flow) const {
    return start_s_[start_s_.size() > 1 ? flow : 0];
  }

  [[nodiscard]] double next_start() const { return start_of(starting(started_)); }

  [[nodiscard]] bool all_started() const { return started_ == graph_.flow_count(); }

  void begin_busy_period() {
    now_ = std::max(now_, next_start());
    begin_ = now_;
    std::ranges::fill(charged_, 0);
    start_flows();
    filling_.fill(live_, charged_);
    last_window_ = 0;
    window_ = first_window();
  }

  void step() {
    const auto under_way = static_cast<double>(live_.flow_count());
    endings_.clear();
    live_.sweep(filling_.levels(), last_window_, window_, endings_);
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
    filling_.fill(live_, charged_);
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
    if (!all_started()) {
      const double shortest = kShortestCut * epsilon_ * (now_ - begin_);
      window_ = std::min(window_, std::max(shortest, next_start() - now_));
    }
  }

  void start_flows() {
    while (!all_started() && next_start() <= now_) {
      const std::uint32_t flow = starting(started_++);
      live_.insert(flow, bytes_or_finish_s_[flow]);
    }
  }

  /// Calls visit(entry) for every flow under way.
  template <class Visit>
  void for_each_live(const Visit& visit) const {
    for (std::uint32_t chain = 0; chain < graph_.chain_count(); ++chain) {
      if (graph_.chain_side[chain] == kSourceSide) {
        const std::uint32_t first = live_.first_entry(chain);
        for (std::uint32_t entry = first; entry < first + live_.size(chain); ++entry) {
          visit(entry);
        }
      }
    }
  }

  /// How long the first `epsilon` of the flows take, by a sample of them; flows of small links
  /// count only if there are no others.
  [[nodiscard]] double first_window() const {
    const std::size_t stride = 1 + live_.flow_count() / kSample;
    std::vector<double> times;
    for (const bool with_small : {false, true}) {
      std::size_t k = 0;
      for_each_live([&](std::uint32_t entry) {
        const std::uint32_t flow = live_.flow_of(entry);
        if (k++ % stride == 0 && (with_small || !is_on_small_link(flow))) {
          times.push_back(live_.left(entry) / rate_of(flow));
        }
      });
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
    std::vector<Live> small;
    for_each_live([&](std::uint32_t entry) {
      const std::uint32_t flow = live_.flow_of(entry);
      if (is_on_small_link(flow)) {
        small.push_back({flow, entry});
      }
    });
    if (small.empty() || small.size() > kMostFollowed) {
      return;
    }
    std::erase_if(endings_, [&](const Ending& ending) {
      return is_on_small_link(live_.flow_of(ending.entry));
    });
    std::ranges::sort(small, {}, &Live::flow);
    Component apart = extract_component(graph_, flows_of(small));
    leave_to_others(apart);
    const std::vector<double> after = run_rest(apart, small, {}, window_);
    for (std::size_t k = 0; k < after.size(); ++k) {
      followed_.push_back(
          {after[k], small[k].entry, graph_.flow_chains[kSourceSide][small[k].flow]});
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
      bytes_or_finish_s_[live_.flow_of(ending.entry)] = now_ + ending.after;
      const double rate = live_.left(ending.entry) / window_;
      charged_[ending.near] += rate;
      charged_[live_.far_of(ending.entry)] += rate;
    }
    live_.remove(endings_);
  }

  /// Exact times of a component's flows, in its order, in seconds from now; infinity beyond
  /// `until`.
  [[nodiscard]] std::vector<double> run_rest(Component& component,
                                             std::span<const Live> flows,
                                             std::span<const IncastPoint> incast,
                                             double until) const {
    std::vector<double> bytes;
    std::vector<double> starts;
    for (const Live& each : flows) {
      const bool is_live = each.entry != kNone;
      bytes.push_back(is_live ? live_.left(each.entry) : bytes_or_finish_s_[each.flow]);
      starts.push_back(is_live ? 0 : std::max(0.0, start_of(each.flow) - now_));
    }
    std::ranges::fill(component.graph.chain_latency_s, 0);  // added to all at the end
    return run_components(std::move(component.graph),
                          {limits_.rate_cap, incast},
                          std::move(bytes),
                          starts,
                          {.until_s = until})
        .finish_s;
  }

  /// The last flows, exactly.
  void run_tail() {
    endings_.clear();
    live_.sweep(filling_.levels(), last_window_, 0, endings_);
    for (const Ending& ending : endings_) {  // by rounding only
      bytes_or_finish_s_[live_.flow_of(ending.entry)] = now_ + ending.after;
    }
    live_.remove(endings_);
    std::vector<Live> rest;
    for_each_live([&](std::uint32_t entry) { rest.push_back({live_.flow_of(entry), entry}); });
    for (; !all_started(); ++started_) {
      rest.push_back({starting(started_), kNone});
    }
    if (rest.empty()) {
      return;
    }
    std::ranges::sort(rest, {}, &Live::flow);
    Component tail = extract_component(graph_, flows_of(rest));
    const std::vector<double> after = run_rest(tail, rest, limits_.incast, kNoEnd);
    for (std::size_t k = 0; k < after.size(); ++k) {
      bytes_or_finish_s_[rest[k].flow] = now_ + after[k];
    }
  }

  const FlowGraph& graph_;
  SharingLimits limits_;
  std::span<const double> start_s_;
  double epsilon_;
  LiveFlows live_;
  ProgressiveFilling filling_;
  // [flows] Two tables in one, for large exchanges fill the memory: a flow's bytes until it starts,
  // its finish from when it has ended.
  std::vector<double> bytes_or_finish_s_;
  std::vector<double> charged_;          // [chains] bytes/s for the flows that end in the window
  std::vector<std::uint32_t> by_start_;  // flows in order of start; empty = in order of number
  std::size_t started_ = 0;              // flows started so far, in that order
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
                                 std::vector<double> bytes,
                                 std::span<const double> start_s,
                                 double epsilon) {
  return WindowedRun(graph, limits, std::move(bytes), start_s, epsilon).run();
}

}  // namespace switchyard
