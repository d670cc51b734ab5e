// The default network: exact max-min fair sharing. How it works and what it costs: docs/network.md.
#include <algorithm>
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
  std::vector<double> bytes;     // [transfers] payload and gap bytes
  std::vector<float> latency_s;  // [transfers] single precision, as in the route table
};

Problem make_problem(const Fabric& fabric,
                     const Schedule& schedule,
                     const NetworkOptions& options) {
  const RouteTable& routes = fabric.routes(schedule.rank_count);
  std::vector<double> rates = link_rates(fabric, options);
  FlowGraphBuilder builder(rates);
  Problem problem;
  problem.bytes.reserve(schedule.transfer_count());
  problem.latency_s.reserve(schedule.transfer_count());
  std::vector<ChainLink> route;
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    const auto from = static_cast<std::size_t>(schedule.source[i]);
    const auto to = static_cast<std::size_t>(schedule.destination[i]);
    route.clear();
    double route_rate = std::numeric_limits<double>::infinity();
    for (const Hop& hop : routes.hops(from, to)) {
      const auto link = static_cast<std::uint32_t>(hop.link.value);
      const auto share = static_cast<double>(hop.share);
      route.push_back({link, share});
      route_rate = std::min(route_rate, rates[link] / share);
    }
    builder.add_flow(route);
    const double messages =
        schedule.messages.empty() ? 1.0 : static_cast<double>(schedule.messages[i]);
    problem.bytes.push_back(static_cast<double>(schedule.bytes[i]) +
                            messages * options.message_gap.count() * route_rate);
    problem.latency_s.push_back(static_cast<float>(routes.latency(from, to).count()));
  }
  problem.graph = std::move(builder).take();
  return problem;
}

FlowTimes run_waiting(const Problem& problem,
                      const SharingLimits& limits,
                      const Schedule& schedule,
                      const NetworkOptions& options) {
  ReleaseQueue queue(schedule, options);
  return run_exact(problem.graph, limits, {problem.bytes, problem.latency_s}, queue);
}

std::vector<double> start_times(const Schedule& schedule, const NetworkOptions& options) {
  const std::vector<double> entries = rank_entries(schedule.rank_count, options);
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
      timeline.start_s = start_times(schedule, options);
      ComponentTimes times = run_components(std::move(problem.graph),
                                            limits,
                                            {problem.bytes, problem.latency_s},
                                            timeline.start_s,
                                            run_choice(options));
      timeline.finish_s = std::move(times.finish_s);
      if (times.is_windowed) {
        timeline.mode = "windowed";
        timeline.window_epsilon = options.window_epsilon;
      }
    } else {
      FlowTimes times = run_waiting(problem, limits, schedule, options);
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
