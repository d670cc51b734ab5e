// What every network needs before it can price anything: checked inputs, link rates, and the lower
// bound. Transfers are added up by halves of routes first: there are far fewer of those than hops.
#include "sim/network/network.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "core/components/suggestion.hpp"
#include "core/numbers/smooth_maximum.hpp"

namespace switchyard {

template class Registry<Network>;

namespace {

void require_time(Seconds value, const char* what) {
  if (!(value.count() >= 0) || !std::isfinite(value.count())) {
    throw InvalidInput(fmt::format("{} must be zero or more seconds, not {}", what, value.count()));
  }
}

void check_incast(const std::vector<IncastPoint>& incast) {
  for (std::size_t i = 0; i < incast.size(); ++i) {
    const IncastPoint& point = incast[i];
    const bool is_sane = point.flows >= 1 && point.efficiency > 0 && point.efficiency <= 1;
    const bool falls = i == 0 || (point.flows > incast[i - 1].flows &&
                                  point.efficiency <= incast[i - 1].efficiency);
    if (!is_sane || !falls) {
      throw InvalidInput(fmt::format("incast point {} ({} flows, efficiency {}) breaks the curve",
                                     i,
                                     point.flows,
                                     point.efficiency),
                         {},
                         "flows ascend from 1; efficiencies lie in (0, 1] and never rise");
    }
  }
}

std::size_t link_called(const Fabric& fabric, const std::string& name) {
  if (const auto found = fabric.find_link(name)) {
    return found->index();
  }
  const std::span<const Link> links = fabric.links();
  std::vector<std::string> names(links.size());
  std::ranges::transform(links, names.begin(), &Link::name);
  throw InvalidInput("no link is called \"" + name + "\"", {}, suggestion_hint(name, names));
}

/// What the transfers of one schedule ask of each half route.
struct HalfLoads {
  HalfLoads(const RouteTable& routes, const std::vector<double>& inverse_rate)
      : seconds_per_byte(routes.half_count(), 0),
        bytes(routes.half_count(), 0),
        gap_bytes(routes.half_count(), 0) {
    for (std::uint32_t half = 0; half < routes.half_count(); ++half) {
      for (const Hop& hop : routes.half(half)) {
        seconds_per_byte[half] =
            std::max(seconds_per_byte[half], double{hop.share} * inverse_rate[hop.link.index()]);
      }
    }
  }

  std::vector<double> seconds_per_byte;  // [halves] of one transfer alone; infinite on failed links
  std::vector<std::int64_t> bytes;       // [halves] payload
  std::vector<double> gap_bytes;         // [halves]
};

/// [links] from [halves].
template <class Amount>
std::vector<double> amounts_on_links(const RouteTable& routes,
                                     const std::vector<Amount>& of_halves,
                                     std::size_t links) {
  std::vector<double> amounts(links, 0.0);
  for (std::uint32_t half = 0; half < routes.half_count(); ++half) {
    for (const Hop& hop : routes.half(half)) {
      amounts[hop.link.index()] += double{hop.share} * static_cast<double>(of_halves[half]);
    }
  }
  return amounts;
}

/// The last instant at which some rank can still be issuing, [ranks] entries in.
double slowest_issuer(const Schedule& schedule,
                      const NetworkOptions& options,
                      const std::vector<double>& entries) {
  if (options.message_overhead.count() == 0) {
    return 0;
  }
  std::vector<std::int64_t> messages(schedule.rank_count, 0);
  std::vector<std::int64_t> longest(schedule.rank_count, 0);
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    const auto rank = static_cast<std::size_t>(schedule.source[i]);
    const std::int64_t count = schedule.messages.empty() ? 1 : schedule.messages[i];
    messages[rank] += count;
    longest[rank] = std::max(longest[rank], count);
  }
  double latest = 0;
  for (std::size_t rank = 0; rank < messages.size(); ++rank) {
    if (messages[rank] > 0) {
      latest = std::max(latest,
                        entries[rank] + options.message_overhead.count() *
                                            static_cast<double>(messages[rank] - longest[rank]));
    }
  }
  return latest;
}

[[noreturn]] void throw_failed_link(const Fabric& fabric, std::size_t link) {
  throw InvalidInput(
      "traffic would cross the failed link \"" + fabric.links()[link].name + "\"",
      {},
      "remove the link from the topology, so that routes lead round it, or leave it some rate");
}

/// Sets the bottleneck link; answers how long it is busy at its full rate. `gap_bytes` [links].
double find_bottleneck(const Fabric& fabric,
                       const std::vector<double>& inverse_rate,
                       const std::vector<double>& gap_bytes,
                       LinkLoads& loads) {
  double busiest = -1;
  for (std::size_t link = 0; link < loads.bytes.size(); ++link) {
    if (loads.bytes[link] <= 0) {
      continue;
    }
    if (std::isinf(inverse_rate[link])) {
      throw_failed_link(fabric, link);
    }
    const double occupied = loads.bytes[link] + gap_bytes[link];
    const double busy = occupied * inverse_rate[link];
    if (busy > busiest) {
      busiest = busy;
      loads.bottleneck_link = static_cast<std::int32_t>(link);
    }
  }
  return busiest;
}

}  // namespace

void check_network_inputs(const Fabric& fabric,
                          const Schedule& schedule,
                          const NetworkOptions& options) {
  check_schedule(schedule);
  const std::size_t ranks = schedule.rank_count;
  if (ranks > fabric.rank_count()) {
    throw InvalidInput(fmt::format("{} ranks do not fit on the {} GPUs of \"{}\"",
                                   ranks,
                                   fabric.rank_count(),
                                   fabric.name()),
                       {},
                       "choose a larger topology or fewer ranks");
  }
  if (!options.start_offsets.empty() && options.start_offsets.size() != ranks) {
    throw InvalidInput(
        fmt::format("{} start offsets for {} ranks", options.start_offsets.size(), ranks));
  }
  for (const Seconds offset : options.start_offsets) {
    require_time(offset, "a start offset");
  }
  check_spread(options.start_spread);
  require_time(options.launch_overhead, "the launch overhead");
  require_time(options.start_up, "the start-up");
  if (!(options.start_up_overlap >= 1) || !std::isfinite(options.start_up_overlap)) {
    throw InvalidInput("the overlap of start-up and transfer must be 1 or more");
  }
  require_time(options.message_overhead, "the message overhead");
  require_time(options.message_gap, "the message gap");
  if (!(options.flow_rate_cap.value >= 0) || !std::isfinite(options.flow_rate_cap.value)) {
    throw InvalidInput("the rate cap of a flow must be positive, or zero for none");
  }
  if (options.outstanding < 0) {
    throw InvalidInput("the window of outstanding transfers must be positive, or zero for none");
  }
  check_incast(options.incast);
}

std::vector<double> link_rates(const Fabric& fabric, const NetworkOptions& options) {
  const std::span<const Link> links = fabric.links();
  std::vector<double> rates(links.size());
  std::ranges::transform(
      links, rates.begin(), [](const Link& link) { return link.effective_bandwidth().value; });
  std::vector<double> background(options.link_changes.empty() ? 0 : links.size(), 0.0);
  for (const LinkChange& change : options.link_changes) {
    const std::size_t link = link_called(fabric, change.link);
    if (!(change.bandwidth_factor >= 0) || !std::isfinite(change.bandwidth_factor) ||
        !(change.background_load.value >= 0)) {
      throw InvalidInput("the change of link \"" + change.link +
                         "\" needs a factor and a background load of zero or more");
    }
    rates[link] *= change.bandwidth_factor;
    background[link] += change.background_load.value;
  }
  for (std::size_t link = 0; link < background.size(); ++link) {
    rates[link] = std::max(0.0, rates[link] - background[link]);
  }
  return rates;
}

std::vector<double> rank_entries(std::size_t ranks, const NetworkOptions& options) {
  std::vector<double> entries = drawn_starts(options.start_spread, ranks);
  for (double& entry : entries) {
    entry += options.launch_overhead.count();
  }
  for (std::size_t rank = 0; rank < options.start_offsets.size(); ++rank) {
    entries[rank] += options.start_offsets[rank].count();
  }
  return entries;
}

LinkLoads link_loads(const Fabric& fabric,
                     const Schedule& schedule,
                     const NetworkOptions& options) {
  std::vector<double> inverse_rate = link_rates(fabric, options);
  std::ranges::transform(inverse_rate, inverse_rate.begin(), [](double rate) { return 1 / rate; });
  const std::vector<double> entries = rank_entries(schedule.rank_count, options);
  const double gap_s = options.message_gap.count();
  const double cap = options.flow_rate_cap.value;
  const double seconds_per_byte_at_cap = cap > 0 ? 1 / cap : 0;

  LinkLoads loads{.bytes = std::vector<double>(inverse_rate.size(), 0.0)};
  if (schedule.transfer_count() == 0) {
    loads.lower_bound_s = entries.empty() ? 0 : *std::ranges::max_element(entries);
    return loads;
  }
  const RouteTable& routes = fabric.routes(schedule.rank_count);
  HalfLoads halves(routes, inverse_rate);
  double earliest_entry = std::numeric_limits<double>::infinity();
  double least_latency = std::numeric_limits<double>::infinity();
  double slowest_transfer = 0;
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    const auto from = static_cast<std::size_t>(schedule.source[i]);
    const auto to = static_cast<std::size_t>(schedule.destination[i]);
    const std::uint32_t near = routes.near_half(from, to);
    const std::uint32_t far = routes.far_half(from, to);
    // A failed link makes this infinite; it is reported once all loads are known.
    const double pace = std::max(halves.seconds_per_byte[near], halves.seconds_per_byte[far]);
    const double messages = schedule.messages.empty() ? 1.0 : schedule.messages[i];
    const double gap = gap_s > 0 ? gap_s * messages / pace : 0;
    for (const std::uint32_t half : {near, far}) {
      halves.bytes[half] += schedule.bytes[i];
      halves.gap_bytes[half] += gap;
    }
    const double latency = routes.half_latency_s(near) + routes.half_latency_s(far);
    earliest_entry = std::min(earliest_entry, entries[from]);
    least_latency = std::min(least_latency, latency);
    slowest_transfer = std::max(slowest_transfer,
                                entries[from] + latency +
                                    (static_cast<double>(schedule.bytes[i]) + gap) *
                                        std::max(pace, seconds_per_byte_at_cap));
  }
  loads.bytes = amounts_on_links(routes, halves.bytes, inverse_rate.size());
  const std::vector<double> gap_bytes =
      amounts_on_links(routes, halves.gap_bytes, inverse_rate.size());

  const double busiest = find_bottleneck(fabric, inverse_rate, gap_bytes, loads);
  loads.lower_bound_s = std::max({earliest_entry + busiest + least_latency,
                                  slowest_transfer,
                                  slowest_issuer(schedule, options, entries)});
  return loads;
}

std::vector<double> rank_finishes(const Schedule& schedule,
                                  const NetworkOptions& options,
                                  std::span<const double> finish_s) {
  std::vector<double> finishes = rank_entries(schedule.rank_count, options);
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    double& sender = finishes[static_cast<std::size_t>(schedule.source[i])];
    double& receiver = finishes[static_cast<std::size_t>(schedule.destination[i])];
    sender = std::max(sender, finish_s[i]);
    receiver = std::max(receiver, finish_s[i]);
  }
  return finishes;
}

void apply_start_up(const NetworkOptions& options, Timeline& timeline) {
  const double start_up = options.start_up.count();
  if (start_up == 0) {
    return;
  }
  Seconds first{0};
  if (!options.start_offsets.empty()) {
    first = *std::ranges::min_element(options.start_offsets);
  }
  const double entry = (first + options.launch_overhead).count();
  const auto delay = [&](double& time) {
    time = entry + smooth_maximum(start_up, std::max(0.0, time - entry), options.start_up_overlap);
  };
  delay(timeline.makespan_s);
  delay(timeline.lower_bound_s);
  std::ranges::for_each(timeline.start_s, delay);
  std::ranges::for_each(timeline.finish_s, delay);
  std::ranges::for_each(timeline.rank_finish_s, delay);
}

}  // namespace switchyard
