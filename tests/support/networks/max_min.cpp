#include "tests/support/networks/max_min.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace switchyard::testing {
namespace {

RouteHops hops_of(const Fabric& fabric, const Schedule& schedule, std::size_t transfer) {
  return fabric.routes(schedule.rank_count)
      .hops(static_cast<std::size_t>(schedule.source[transfer]),
            static_cast<std::size_t>(schedule.destination[transfer]));
}

double rate_of(const Fabric& fabric, std::size_t link) {
  return fabric.links()[link].effective_bandwidth().value;
}

}  // namespace

std::vector<double> fair_rates(const Fabric& fabric,
                               const Schedule& schedule,
                               const std::vector<std::size_t>& alive) {
  const std::size_t links = fabric.links().size();
  std::vector<double> rates(alive.size(), 0.0);
  std::vector<bool> is_frozen(alive.size(), false);
  for (std::size_t left = alive.size(); left > 0;) {
    // How far every unfrozen transfer could rise before each link is full.
    std::vector<double> free(links);
    std::vector<double> weight(links, 0.0);
    for (std::size_t link = 0; link < links; ++link) {
      free[link] = rate_of(fabric, link);
    }
    for (std::size_t i = 0; i < alive.size(); ++i) {
      for (const Hop& hop : hops_of(fabric, schedule, alive[i])) {
        (is_frozen[i] ? free : weight)[hop.link.index()] +=
            is_frozen[i] ? -rates[i] * hop.share : static_cast<double>(hop.share);
      }
    }
    std::size_t fullest = links;
    double level = std::numeric_limits<double>::infinity();
    for (std::size_t link = 0; link < links; ++link) {
      if (weight[link] > 0 && free[link] / weight[link] < level) {
        level = free[link] / weight[link];
        fullest = link;
      }
    }
    for (std::size_t i = 0; i < alive.size(); ++i) {
      const auto hops = hops_of(fabric, schedule, alive[i]);
      const bool crosses =
          std::ranges::any_of(hops, [&](const Hop& hop) { return hop.link.index() == fullest; });
      if (!is_frozen[i] && crosses) {
        is_frozen[i] = true;
        rates[i] = level;
        --left;
      }
    }
  }
  return rates;
}

bool is_max_min_fair(const Fabric& fabric,
                     const Schedule& schedule,
                     const std::vector<std::size_t>& alive,
                     const std::vector<double>& rates,
                     double tolerance) {
  const std::size_t links = fabric.links().size();
  std::vector<double> load(links, 0.0);
  std::vector<double> fastest(links, 0.0);
  for (std::size_t i = 0; i < alive.size(); ++i) {
    for (const Hop& hop : hops_of(fabric, schedule, alive[i])) {
      load[hop.link.index()] += rates[i] * hop.share;
      fastest[hop.link.index()] = std::max(fastest[hop.link.index()], rates[i]);
    }
  }
  for (std::size_t link = 0; link < links; ++link) {
    if (load[link] > rate_of(fabric, link) * (1 + tolerance)) {
      return false;
    }
  }
  for (std::size_t i = 0; i < alive.size(); ++i) {
    const auto hops = hops_of(fabric, schedule, alive[i]);
    const bool has_bottleneck = std::ranges::any_of(hops, [&](const Hop& hop) {
      const std::size_t link = hop.link.index();
      return load[link] >= rate_of(fabric, link) * (1 - tolerance) &&
             rates[i] >= fastest[link] * (1 - tolerance);
    });
    if (!has_bottleneck) {
      return false;
    }
  }
  return true;
}

std::vector<double> fair_finish_times(const Fabric& fabric, const Schedule& schedule) {
  std::vector<double> remaining(schedule.bytes.begin(), schedule.bytes.end());
  std::vector<double> finish(remaining.size(), 0.0);
  std::vector<std::size_t> alive(remaining.size());
  std::iota(alive.begin(), alive.end(), std::size_t{0});
  double now = 0;
  while (!alive.empty()) {
    const std::vector<double> rates = fair_rates(fabric, schedule, alive);
    double step = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < alive.size(); ++i) {
      step = std::min(step, remaining[alive[i]] / rates[i]);
    }
    now += step;
    std::vector<std::size_t> still;
    for (std::size_t i = 0; i < alive.size(); ++i) {
      const std::size_t transfer = alive[i];
      remaining[transfer] -= rates[i] * step;
      // A millionth of a byte is rounding of sizes up to some GB.
      if (remaining[transfer] > 1e-6) {
        still.push_back(transfer);
        continue;
      }
      const Seconds latency =
          fabric.routes(schedule.rank_count)
              .latency(static_cast<std::size_t>(schedule.source[transfer]),
                       static_cast<std::size_t>(schedule.destination[transfer]));
      finish[transfer] = now + latency.count();
    }
    alive = std::move(still);
  }
  return finish;
}

}  // namespace switchyard::testing
