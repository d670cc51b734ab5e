// The default network: exact max-min fair sharing. How it works and what it costs: docs/network.md.
#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include "core/check.hpp"
#include "sim/network/fluid/component_runs.hpp"
#include "sim/network/fluid/exact_run.hpp"
#include "sim/network/fluid/release_queue.hpp"
#include "sim/network/fluid/sharing/flow_graph.hpp"
#include "sim/network/network.hpp"

namespace switchyard {
namespace {

// Rounding of the engine against that of the bound; a makespan further below it is a bug.
constexpr double kBoundRounding = 1e-9;

/// The schedule as flows on links: what the engine needs to know of fabric and schedule.
struct Problem {
  FlowGraph graph;
  std::vector<double> bytes;  // [transfers] payload and gap bytes
};

/// The halves of the routes as chains of the engine, numbered in order of first use.
class Chains {
 public:
  Chains(const RouteTable& routes, std::span<const double> rates, FlowGraphBuilder& builder)
      : routes_(routes), rates_(rates), builder_(builder), number_(routes.half_count(), kNone) {}

  std::uint32_t number_of(std::uint32_t half, Side side) {
    if (number_[half] == kNone) {
      links_.clear();
      for (const Hop& hop : routes_.half(half)) {
        links_.push_back({static_cast<std::uint32_t>(hop.link.value), double{hop.share}});
      }
      number_[half] = builder_.add_chain(links_, side, routes_.half_latency_s(half));
    }
    return number_[half];
  }

  /// What one transfer alone could send over the half, bytes/s.
  [[nodiscard]] double rate_of(std::uint32_t half) const {
    double rate = std::numeric_limits<double>::infinity();
    for (const Hop& hop : routes_.half(half)) {
      rate = std::min(rate, rates_[hop.link.index()] / double{hop.share});
    }
    return rate;
  }

 private:
  const RouteTable& routes_;
  std::span<const double> rates_;
  FlowGraphBuilder& builder_;
  std::vector<std::uint32_t> number_;  // [halves]
  std::vector<ChainLink> links_;
};

Problem make_problem(const Fabric& fabric,
                     const Schedule& schedule,
                     const NetworkOptions& options) {
  const RouteTable& routes = fabric.routes(schedule.rank_count);
  const std::vector<double> rates = link_rates(fabric, options);
  const double gap_s = options.message_gap.count();
  FlowGraphBuilder builder(rates);
  builder.reserve_flows(schedule.transfer_count());
  Chains chains(routes, rates, builder);
  Problem problem;
  problem.bytes.assign(schedule.bytes.begin(), schedule.bytes.end());
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    const auto from = static_cast<std::size_t>(schedule.source[i]);
    const auto to = static_cast<std::size_t>(schedule.destination[i]);
    const std::uint32_t near = routes.near_half(from, to);
    const std::uint32_t far = routes.far_half(from, to);
    const std::uint32_t near_chain = chains.number_of(near, kSourceSide);
    builder.add_flow(near_chain, chains.number_of(far, kDestinationSide));
    if (gap_s > 0) {
      const double messages =
          schedule.messages.empty() ? 1.0 : static_cast<double>(schedule.messages[i]);
      problem.bytes[i] += messages * gap_s * std::min(chains.rate_of(near), chains.rate_of(far));
    }
  }
  problem.graph = std::move(builder).take();
  return problem;
}

FlowTimes run_waiting(Problem problem,
                      const SharingLimits& limits,
                      const Schedule& schedule,
                      const NetworkOptions& options) {
  ReleaseQueue queue(schedule, options);
  if (is_connected(problem.graph)) {
    return run_exact(problem.graph, limits, problem.bytes, queue);
  }
  const std::vector<Component> parts = split_components(std::move(problem.graph));
  return run_exact(parts, limits, problem.bytes, queue);
}

/// When each transfer is issued if none waits for another.
std::vector<double> start_times(const Schedule& schedule, std::span<const double> entries) {
  std::vector<double> starts(schedule.transfer_count());
  std::ranges::transform(schedule.source, starts.begin(), [&](std::int32_t rank) {
    return entries[static_cast<std::size_t>(rank)];
  });
  return starts;
}

RunChoice run_choice(const NetworkOptions& options) {
  if (!(options.window_epsilon > 0 && options.window_epsilon <= 0.5)) {
    throw InvalidInput("the window must hold more than 0 and at most 0.5 of the transfers");
  }
  return {.exact_flow_limit =
              static_cast<std::size_t>(std::max<std::int64_t>(0, options.exact_transfer_limit)),
          .window_epsilon = options.window_epsilon,
          .threads = static_cast<std::size_t>(std::max(1, options.threads))};
}

class FluidNetwork final : public Network {
 public:
  explicit FluidNetwork(Parameters& /*parameters*/) {}

  [[nodiscard]] Timeline simulate(const Fabric& fabric,
                                  const Schedule& schedule,
                                  const NetworkOptions& options) const override {
    check_network_inputs(fabric, schedule, options);
    LinkLoads loads = link_loads(fabric, schedule, options);
    Timeline timeline{.network = "fluid",
                      .mode = "exact",
                      .makespan_s = loads.lower_bound_s,
                      .lower_bound_s = loads.lower_bound_s,
                      .bottleneck_link = loads.bottleneck_link,
                      .link_bytes = std::move(loads.bytes)};
    if (schedule.transfer_count() > 0) {
      price(fabric, schedule, options, timeline);
    }
    timeline.rank_finish_s = rank_finishes(schedule, options, timeline.finish_s);
    apply_start_up(options, timeline);
    return timeline;
  }

 private:
  static void price(const Fabric& fabric,
                    const Schedule& schedule,
                    const NetworkOptions& options,
                    Timeline& timeline) {
    Problem problem = make_problem(fabric, schedule, options);
    const double cap = options.flow_rate_cap.value;
    const SharingLimits limits{
        .rate_cap = cap > 0 ? cap : std::numeric_limits<double>::infinity(),
        .incast = options.incast,
    };
    if (ReleaseQueue::is_all_at_once(schedule, options)) {
      const std::vector<double> entries = rank_entries(schedule.rank_count, options);
      const bool start_together =
          std::ranges::adjacent_find(entries, std::ranges::not_equal_to()) == entries.end();
      // Filled in last where the engine does not need it: it is a seventh of the memory.
      const std::vector<double> starts =
          start_together ? std::vector<double>{entries.front()} : start_times(schedule, entries);
      ComponentTimes times = run_components(
          std::move(problem.graph), limits, std::move(problem.bytes), starts, run_choice(options));
      timeline.finish_s = std::move(times.finish_s);
      timeline.start_s = start_times(schedule, entries);
      if (times.is_windowed) {
        timeline.mode = "windowed";
        timeline.window_epsilon = options.window_epsilon;
      }
    } else {
      FlowTimes times = run_waiting(std::move(problem), limits, schedule, options);
      timeline.start_s = std::move(times.start_s);
      timeline.finish_s = std::move(times.finish_s);
    }
    const double last = std::ranges::max(timeline.finish_s);
    SWITCHYARD_CHECK(
        last >= timeline.lower_bound_s * (1 - kBoundRounding - timeline.window_epsilon),
        "a network faster than its lower bound");
    timeline.makespan_s = std::max(last, timeline.lower_bound_s);
  }
};

const Register<Network, FluidNetwork> kFluid{
    "fluid", "max-min fair sharing, exact or in windows of a stated size"};

}  // namespace
}  // namespace switchyard
