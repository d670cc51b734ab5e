// One pass over all flows and one fill per window; see the header for the method.
#include "sim/network/fluid/windowed_run.hpp"

#include <algorithm>
#include <limits>
#include <utility>

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

/// A flow, its chains, and where it is listed.
struct Listed {
  std::uint32_t flow;
  LiveFlows::Entry entry;
  bool is_under_way;
};

class WindowedRun {
 public:
  WindowedRun(FlowGraph graph,
              const SharingLimits& limits,
              std::span<double> bytes_or_finish_s,
              std::span<const std::uint32_t> flows,
              std::span<const double> start_s,
              double epsilon)
      : graph_(std::move(graph)),
        limits_(limits),
        start_s_(start_s),
        epsilon_(epsilon),
        live_(graph_, flows, start_s),
        filling_(graph_, limits),
        bytes_or_finish_s_(bytes_or_finish_s),
        charged_(graph_.chain_count(), 0) {}

  void run() && {
    const std::size_t tail = std::min(kExactTail, live_.waiting_count() / kExactTailShare);
    while (live_.flow_count() + live_.waiting_count() > tail) {
      if (live_.flow_count() == 0) {
        begin_busy_period();
      } else {
        step();
      }
    }
    run_tail();
  }

 private:
  using Ending = LiveFlows::Ending;
  using Entry = LiveFlows::Entry;

  void finish(Entry entry, double end) const {
    bytes_or_finish_s_[live_.flow_of(entry.number)] =
        end +
        (graph_.chain_latency_s[entry.near] + graph_.chain_latency_s[live_.far_of(entry.number)]);
  }

  void begin_busy_period() {
    now_ = std::max(now_, live_.next_start());
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
    if (live_.waiting_count() > 0) {
      const double shortest = kShortestCut * epsilon_ * (now_ - begin_);
      window_ = std::min(window_, std::max(shortest, live_.next_start() - now_));
    }
  }

  void start_flows() {
    live_.start_due(now_, [this](std::uint32_t flow) { return bytes_or_finish_s_[flow]; });
  }

  /// How long the first `epsilon` of the flows take, by a sample of them; flows of small links
  /// count only if there are no others.
  [[nodiscard]] double first_window() const {
    const std::size_t stride = 1 + live_.flow_count() / kSample;
    std::vector<double> times;
    for (const bool with_small : {false, true}) {
      std::size_t k = 0;
      live_.for_each([&](Entry entry) {
        if (k++ % stride == 0 && (with_small || !is_on_small_link(entry))) {
          times.push_back(live_.left(entry.number) / rate_of(entry));
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
  [[nodiscard]] std::uint32_t holder_of(Entry entry) const {
    const std::uint32_t far = live_.far_of(entry.number);
    return filling_.levels()[entry.near] <= filling_.levels()[far] ? entry.near : far;
  }

  [[nodiscard]] double rate_of(Entry entry) const { return filling_.levels()[holder_of(entry)]; }

  [[nodiscard]] bool is_on_small_link(Entry entry) const {
    const std::uint32_t link = filling_.filled_link(holder_of(entry));
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
    std::vector<Listed> small;
    live_.for_each([&](Entry entry) {
      if (is_on_small_link(entry)) {
        small.push_back({live_.flow_of(entry.number), entry, true});
      }
    });
    if (small.empty() || small.size() > kMostFollowed) {
      return;
    }
    std::erase_if(endings_, [&](const Ending& ending) {
      return is_on_small_link({ending.entry, ending.near});
    });
    Component apart = extract(small);
    leave_to_others(small, apart);
    const std::vector<double> after = run_rest(apart, small, {}, window_);
    for (std::size_t k = 0; k < after.size(); ++k) {
      followed_.push_back({after[k], small[k].entry.number, small[k].entry.near});
    }
  }

  /// The part of the problem that these flows need, sorted by number.
  [[nodiscard]] Component extract(std::vector<Listed>& listed) const {
    std::ranges::sort(listed, {}, &Listed::flow);
    std::vector<std::uint32_t> flows;
    FlowChains chains;
    for (const Listed& each : listed) {
      flows.push_back(each.flow);
      chains[kSourceSide].push_back(each.entry.near);
      chains[kDestinationSide].push_back(live_.far_of(each.entry.number));
    }
    return extract_component(graph_, std::move(flows), std::move(chains));
  }

  /// Takes the rates of all flows outside the component off its capacities.
  void leave_to_others(std::span<const Listed> listed, Component& component) const {
    std::vector<double> own(component.links.size(), 0);
    for (std::size_t k = 0; k < listed.size(); ++k) {
      for (const auto& chains : component.graph.flow_chains) {
        for (const ChainLink& hop : component.graph.links_of(chains[k])) {
          own[hop.link] += hop.share * rate_of(listed[k].entry);
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
      finish({ending.entry, ending.near}, now_ + ending.after);
      const double rate = live_.left(ending.entry) / window_;
      charged_[ending.near] += rate;
      charged_[live_.far_of(ending.entry)] += rate;
    }
    live_.remove(endings_);
  }

  /// Exact times of a component's flows, in its order, in seconds from now; infinity beyond
  /// `until`.
  [[nodiscard]] std::vector<double> run_rest(Component& component,
                                             std::span<const Listed> flows,
                                             std::span<const IncastPoint> incast,
                                             double until) const {
    std::vector<double> bytes;
    std::vector<double> starts;
    for (const auto& [flow, entry, is_under_way] : flows) {
      bytes.push_back(is_under_way ? live_.left(entry.number) : bytes_or_finish_s_[flow]);
      starts.push_back(is_under_way ? 0 : std::max(0.0, start_of(flow) - now_));
    }
    std::ranges::fill(component.graph.chain_latency_s, 0);  // added by finish()
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
      finish({ending.entry, ending.near}, now_ + ending.after);
    }
    live_.remove(endings_);
    std::vector<Listed> rest;
    live_.for_each([&](Entry entry) {
      rest.push_back({live_.flow_of(entry.number), entry, true});
    });
    live_.for_each_waiting([&](Entry entry) {
      rest.push_back({live_.flow_of(entry.number), entry, false});
    });
    if (rest.empty()) {
      return;
    }
    Component tail = extract(rest);
    const std::vector<double> after = run_rest(tail, rest, limits_.incast, kNoEnd);
    for (std::size_t k = 0; k < after.size(); ++k) {
      finish(rest[k].entry, now_ + after[k]);
    }
  }

  [[nodiscard]] double start_of(std::uint32_t flow) const {
    return start_s_[start_s_.size() > 1 ? flow : 0];
  }

  FlowGraph graph_;
  SharingLimits limits_;
  std::span<const double> start_s_;
  double epsilon_;
  LiveFlows live_;
  ProgressiveFilling filling_;
  // [flows of the whole] a flow's bytes until it starts, its finish from when it has ended
  std::span<double> bytes_or_finish_s_;
  std::vector<double> charged_;  // [chains] bytes/s for the flows that end in the window
  std::vector<Ending> endings_;
  std::vector<Ending> followed_;
  double begin_ = 0;        // of the busy period
  double now_ = 0;          // beginning of the window
  double window_ = 0;       // its length
  double last_window_ = 0;  // length of the one before, 0 at the start of a busy period
};

}  // namespace

void run_windowed(FlowGraph graph,
                  const SharingLimits& limits,
                  std::span<double> bytes_or_finish_s,
                  std::span<const std::uint32_t> flows,
                  std::span<const double> start_s,
                  double epsilon) {
  WindowedRun(std::move(graph), limits, bytes_or_finish_s, flows, start_s, epsilon).run();
}

}  // namespace switchyard
