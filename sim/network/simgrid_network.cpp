// SimGrid as independent witness. SimGrid itself lives in a module that only a forked child loads:
// it keeps process-wide state, aborts on errors, and costs start-up time.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include <fmt/format.h>

#include "core/processes/child_process.hpp"
#include "core/processes/module.hpp"
#include "sim/network/network.hpp"
#include "sim/network/simgrid/replay.hpp"

namespace switchyard {
namespace {

/// [links] rate over share. SimGrid knows no fractional use of a link; where all transfers put the
/// same share on a link, widening it by that share is the same thing.
std::vector<double> rates_per_transfer(const Fabric& fabric,
                                       const Schedule& schedule,
                                       const NetworkOptions& options) {
  std::vector<double> rates = link_rates(fabric, options);
  const RouteTable& routes = fabric.routes(schedule.rank_count);
  if (!routes.is_spread()) {
    return rates;
  }
  std::vector<float> shares(rates.size(), 0);
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    for (const Hop& hop : routes.hops(static_cast<std::size_t>(schedule.source[i]),
                                      static_cast<std::size_t>(schedule.destination[i]))) {
      float& share = shares[hop.link.index()];
      if (share != 0 && share != hop.share) {
        throw MissingCapability(
            fmt::format("SimGrid cannot spread transfers by different shares ({} and {}) over link "
                        "\"{}\"",
                        share,
                        hop.share,
                        fabric.links()[hop.link.index()].name),
            {},
            "choose --network fluid, or hashed paths in the topology");
      }
      share = hop.share;
    }
  }
  for (std::size_t link = 0; link < rates.size(); ++link) {
    rates[link] /= shares[link] == 0 ? 1.0 : static_cast<double>(shares[link]);
  }
  return rates;
}

/// SimGrid reports a deadlock by returning as if all were well.
void check_all_finished(std::span<const double> finish_s) {
  std::size_t unfinished = 0;
  for (const double finish : finish_s) {
    unfinished += std::isfinite(finish) ? 0 : 1;
  }
  if (unfinished > 0) {
    throw InternalError(
        fmt::format("SimGrid left {} of {} transfers unfinished", unfinished, finish_s.size()));
  }
}

class SimgridNetwork final : public Network {
 public:
  explicit SimgridNetwork(Parameters& /*parameters*/) {}

  [[nodiscard]] Timeline simulate(const Fabric& fabric,
                                  const Schedule& schedule,
                                  const NetworkOptions& options) const override {
    check_network_inputs(fabric, schedule, options);
    LinkLoads loads = link_loads(fabric, schedule, options);
    Timeline timeline{.network = "simgrid",
                      .mode = "exact",
                      .makespan_s = loads.lower_bound_s,
                      .lower_bound_s = loads.lower_bound_s,
                      .bottleneck_link = loads.bottleneck_link,
                      .link_bytes = std::move(loads.bytes)};
    const std::size_t count = schedule.transfer_count();
    if (count > 0) {
      const std::vector<double> rates = rates_per_transfer(fabric, schedule, options);
      const SharedDoubles results(2 * count);
      std::ranges::fill(results.values(), std::numeric_limits<double>::quiet_NaN());
      const SimgridReplay replay{.schedule = &schedule,
                                 .routes = &fabric.routes(schedule.rank_count),
                                 .options = &options,
                                 .rates = rates,
                                 .start_s = results.values().first(count),
                                 .finish_s = results.values().last(count)};
      const std::filesystem::path module = module_path(
          kSimgridModule, "install or build it, or choose another network (--network fluid)");
      run_in_child({.name = "SimGrid",
                    .work =
                        [&] {
                          reinterpret_cast<SimgridReplayFunction>(
                              load_symbol(module, kSimgridReplaySymbol))(replay);
                        },
                    .time_limit = options.time_limit,
                    .time_limit_hint = "all ranks sending at once is slow in SimGrid beyond some "
                                       "hundred ranks: choose --network fluid"});
      check_all_finished(replay.finish_s);
      timeline.start_s.assign(replay.start_s.begin(), replay.start_s.end());
      timeline.finish_s.assign(replay.finish_s.begin(), replay.finish_s.end());
      timeline.makespan_s = *std::ranges::max_element(timeline.finish_s);
    }
    timeline.rank_finish_s = rank_finishes(schedule, options, timeline.finish_s);
    apply_start_up(options, timeline);
    return timeline;
  }
};

const Register<Network, SimgridNetwork> kSimgrid{
    "simgrid", "SimGrid's CM02 model without its TCP corrections; slow, for checking"};

}  // namespace
}  // namespace switchyard
