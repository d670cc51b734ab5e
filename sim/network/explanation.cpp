#include "sim/network/explanation.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <map>

namespace switchyard {
namespace {

/// What one transfer costs alone.
struct Alone {
  double drain_s = 0;
  double latency_s = 0;
};

class AloneTimes {
 public:
  AloneTimes(const Fabric& fabric, const Schedule& schedule, const NetworkOptions& options)
      : schedule_(schedule),
        options_(options),
        routes_(fabric.routes(schedule.rank_count)),
        rates_(link_rates(fabric, options)) {}

  [[nodiscard]] RouteHops hops(std::size_t transfer) const {
    return routes_.hops(source(transfer), destination(transfer));
  }

  [[nodiscard]] Alone of(std::size_t transfer) const {
    double rate = std::numeric_limits<double>::infinity();
    for (const Hop& hop : hops(transfer)) {
      rate = std::min(rate, rates_[hop.link.index()] / static_cast<double>(hop.share));
    }
    const double occupied = static_cast<double>(schedule_.bytes[transfer]) +
                            options_.message_gap.count() * messages(transfer) * rate;
    const double cap = options_.flow_rate_cap.value;
    return {occupied / (cap > 0 ? std::min(cap, rate) : rate),
            routes_.latency(source(transfer), destination(transfer)).count()};
  }

  [[nodiscard]] double messages(std::size_t transfer) const {
    return schedule_.messages.empty() ? 1.0 : schedule_.messages[transfer];
  }

  [[nodiscard]] double rate(std::size_t link) const { return rates_[link]; }

  [[nodiscard]] std::size_t source(std::size_t transfer) const {
    return static_cast<std::size_t>(schedule_.source[transfer]);
  }

  [[nodiscard]] std::size_t destination(std::size_t transfer) const {
    return static_cast<std::size_t>(schedule_.destination[transfer]);
  }

 private:
  const Schedule& schedule_;
  const NetworkOptions& options_;
  const RouteTable& routes_;
  std::vector<double> rates_;
};

/// Time that some transfers need on an otherwise idle fabric: their busiest link, or the slowest of
/// them. Links' loads are kept between calls and cleared one by one: a rank uses few of them.
class OwnTime {
 public:
  OwnTime(const AloneTimes& times, const Schedule& schedule, std::size_t links)
      : times_(times), schedule_(schedule), loads_(links, 0.0) {}

  double of(const std::vector<std::uint32_t>& transfers) {
    double longest = 0;
    double least_latency = std::numeric_limits<double>::infinity();
    for (const std::uint32_t i : transfers) {
      const Alone alone = times_.of(i);
      longest = std::max(longest, alone.drain_s + alone.latency_s);
      least_latency = std::min(least_latency, alone.latency_s);
      for (const Hop& hop : times_.hops(i)) {
        loads_[hop.link.index()] +=
            static_cast<double>(hop.share) * static_cast<double>(schedule_.bytes[i]);
      }
    }
    for (const std::uint32_t i : transfers) {
      for (const Hop& hop : times_.hops(i)) {
        double& load = loads_[hop.link.index()];
        longest = std::max(longest,
                           load / times_.rate(hop.link.index()) + (load > 0 ? least_latency : 0));
        load = 0;
      }
    }
    return longest;
  }

 private:
  const AloneTimes& times_;
  const Schedule& schedule_;
  std::vector<double> loads_;  // [links], zero between calls
};

struct TransfersByRank {
  std::vector<std::vector<std::uint32_t>> sent;      // [ranks]
  std::vector<std::vector<std::uint32_t>> received;  // [ranks]
};

TransfersByRank transfers_by_rank(const Schedule& schedule) {
  TransfersByRank all{std::vector<std::vector<std::uint32_t>>(schedule.rank_count),
                      std::vector<std::vector<std::uint32_t>>(schedule.rank_count)};
  for (std::uint32_t i = 0; i < schedule.transfer_count(); ++i) {
    all.sent[static_cast<std::size_t>(schedule.source[i])].push_back(i);
    all.received[static_cast<std::size_t>(schedule.destination[i])].push_back(i);
  }
  return all;
}

void find_critical_path(const AloneTimes& times,
                        const Schedule& schedule,
                        const NetworkOptions& options,
                        ScheduleBounds& bounds) {
  constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  const std::vector<double> entries = rank_entries(schedule.rank_count, options);
  std::vector<double> finish(schedule.transfer_count(), 0.0);
  std::vector<std::uint32_t> before(schedule.transfer_count(), kNone);
  std::uint32_t last = kNone;
  for (std::uint32_t i = 0; i < schedule.transfer_count(); ++i) {
    double start = entries[times.source(i)];
    for (const std::uint32_t earlier : schedule.dependencies_of(i)) {
      if (finish[earlier] > start) {
        start = finish[earlier];
        before[i] = earlier;
      }
    }
    const Alone alone = times.of(i);
    finish[i] = start + alone.drain_s + alone.latency_s;
    if (finish[i] > bounds.critical_path_s) {
      bounds.critical_path_s = finish[i];
      last = i;
    }
  }
  for (; last != kNone; last = before[last]) {
    bounds.critical_path.push_back(last);
  }
  std::ranges::reverse(bounds.critical_path);
}

/// The name with every run of digits replaced by '*'.
std::string class_of(const std::string& name) {
  std::string pattern;
  for (const char letter : name) {
    if (std::isdigit(static_cast<unsigned char>(letter)) == 0) {
      pattern.push_back(letter);
    } else if (pattern.empty() || pattern.back() != '*') {
      pattern.push_back('*');
    }
  }
  return pattern;
}

struct LinkClass {
  std::string pattern;
  std::vector<std::size_t> links;
  std::size_t busiest = 0;
  double busy_s = 0;  // of the busiest
};

/// Busiest first; classes that carried nothing are left out.
std::vector<LinkClass> link_classes(const PricedSchedule& exchange) {
  const std::vector<double> rates = link_rates(exchange.fabric, exchange.options);
  std::map<std::string, LinkClass> by_pattern;
  for (std::size_t link = 0; link < rates.size(); ++link) {
    const double bytes = exchange.timeline.link_bytes[link];
    if (bytes > 0) {
      const std::string pattern = class_of(exchange.fabric.links()[link].name);
      LinkClass& found = by_pattern[pattern];
      found.pattern = pattern;
      found.links.push_back(link);
      if (bytes / rates[link] > found.busy_s) {
        found.busy_s = bytes / rates[link];
        found.busiest = link;
      }
    }
  }
  std::vector<LinkClass> classes;
  classes.reserve(by_pattern.size());
  for (auto& [pattern, found] : by_pattern) {
    classes.push_back(std::move(found));
  }
  std::ranges::stable_sort(classes, std::greater<>(), &LinkClass::busy_s);
  return classes;
}

Relief relief_of(const Network& network,
                 const PricedSchedule& exchange,
                 const std::string& label,
                 const std::vector<std::size_t>& links) {
  NetworkOptions faster = exchange.options;
  const std::vector<double> rates = link_rates(exchange.fabric, exchange.options);
  for (const std::size_t link : links) {
    // As a gift of bandwidth rather than a factor, so that background load is not doubled too.
    const Link& changed = exchange.fabric.links()[link];
    const double full = changed.effective_bandwidth().value;
    double factor = 1;
    for (const LinkChange& change : exchange.options.link_changes) {
      factor *= change.link == changed.name ? change.bandwidth_factor : 1;
    }
    faster.link_changes.push_back(
        {.link = changed.name,
         .bandwidth_factor = (full * factor + rates[link]) / (full * factor)});
  }
  const double makespan = network.simulate(exchange.fabric, exchange.schedule, faster).makespan_s;
  return {label, links.size(), makespan, exchange.timeline.makespan_s - makespan};
}

}  // namespace

Matrix<double> link_utilisation(const PricedSchedule& exchange, std::size_t bins) {
  const Timeline& timeline = exchange.timeline;
  const std::size_t count = exchange.schedule.transfer_count();
  if (timeline.finish_s.size() != count) {
    throw MissingCapability("the network \"" + timeline.network + "\" does not time transfers",
                            {},
                            "choose one that does (--network fluid)");
  }
  Matrix<double> use(exchange.fabric.links().size(), bins);
  if (bins == 0 || timeline.makespan_s <= 0) {
    return use;
  }
  const AloneTimes times(exchange.fabric, exchange.schedule, exchange.options);
  const double bin_s = timeline.makespan_s / static_cast<double>(bins);
  for (std::size_t i = 0; i < count; ++i) {
    const double start = timeline.start_s[i];
    const double end = std::max(timeline.finish_s[i] - times.of(i).latency_s, start);
    const auto bytes = static_cast<double>(exchange.schedule.bytes[i]);
    const auto first = std::min(static_cast<std::size_t>(start / bin_s), bins - 1);
    const auto last = std::min(static_cast<std::size_t>(end / bin_s), bins - 1);
    for (std::size_t bin = first; bin <= last; ++bin) {
      // The outer bins take what lies beyond them, so that rounding loses nothing.
      const double from = bin == first ? start : bin_s * static_cast<double>(bin);
      const double to = bin == last ? end : bin_s * static_cast<double>(bin + 1);
      const double part = end > start ? (to - from) / (end - start) : 1;
      for (const Hop& hop : times.hops(i)) {
        use(hop.link.index(), bin) +=
            part * bytes * static_cast<double>(hop.share) / (times.rate(hop.link.index()) * bin_s);
      }
    }
  }
  return use;
}

std::vector<RankSplit> rank_splits(const PricedSchedule& exchange) {
  const AloneTimes times(exchange.fabric, exchange.schedule, exchange.options);
  const TransfersByRank by_rank = transfers_by_rank(exchange.schedule);
  const std::vector<double> entries = rank_entries(exchange.schedule.rank_count, exchange.options);
  OwnTime own(times, exchange.schedule, exchange.fabric.links().size());
  std::vector<RankSplit> splits(exchange.schedule.rank_count);
  for (std::size_t rank = 0; rank < splits.size(); ++rank) {
    const double finish = exchange.timeline.rank_finish_s[rank];
    const double stay = std::max(0.0, finish - entries[rank]);
    const double needed = std::max(own.of(by_rank.sent[rank]), own.of(by_rank.received[rank]));
    splits[rank].transfer_s = std::min(needed, stay);
    splits[rank].queue_s = stay - splits[rank].transfer_s;
    splits[rank].wait_s = std::max(0.0, exchange.timeline.makespan_s - finish);
  }
  return splits;
}

ScheduleBounds schedule_bounds(const Fabric& fabric,
                               const Schedule& schedule,
                               const NetworkOptions& options) {
  ScheduleBounds bounds{.busiest_link_s = link_loads(fabric, schedule, options).lower_bound_s};
  const AloneTimes times(fabric, schedule, options);
  const TransfersByRank by_rank = transfers_by_rank(schedule);
  const std::vector<double> entries = rank_entries(schedule.rank_count, options);
  const double first_entry = entries.empty() ? 0 : *std::ranges::min_element(entries);
  OwnTime own(times, schedule, fabric.links().size());
  for (std::size_t rank = 0; rank < schedule.rank_count; ++rank) {
    if (!by_rank.sent[rank].empty()) {
      bounds.contention_free_s =
          std::max(bounds.contention_free_s, entries[rank] + own.of(by_rank.sent[rank]));
    }
    if (!by_rank.received[rank].empty()) {
      bounds.contention_free_s =
          std::max(bounds.contention_free_s, first_entry + own.of(by_rank.received[rank]));
    }
  }
  find_critical_path(times, schedule, options, bounds);
  return bounds;
}

std::vector<Relief> relief_options(const Network& network,
                                   const PricedSchedule& exchange,
                                   std::size_t classes) {
  std::vector<Relief> reliefs;
  std::vector<LinkClass> candidates = link_classes(exchange);
  candidates.resize(std::min(candidates.size(), classes));
  for (const LinkClass& candidate : candidates) {
    const std::string& busiest = exchange.fabric.links()[candidate.busiest].name;
    reliefs.push_back(relief_of(network, exchange, busiest, {candidate.busiest}));
    if (candidate.links.size() > 1) {
      reliefs.push_back(relief_of(network, exchange, candidate.pattern, candidate.links));
    }
  }
  std::ranges::stable_sort(reliefs, std::greater<>(), &Relief::saved_s);
  return reliefs;
}

}  // namespace switchyard
