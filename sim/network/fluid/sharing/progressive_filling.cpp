// Levels only rise while others freeze, so a heap with outdated keys will do: a link is taken when
// its up-to-date level is still the lowest. Keys start a little below the levels of the last fill;
// the rare link that has dropped below its key shows as a level out of order or an overfilled link,
// and the fill is repeated from safe keys.
#include "sim/network/fluid/sharing/progressive_filling.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

namespace switchyard {
namespace {

constexpr double kKeySlack = 0.5;     // keys as a share of the last level
constexpr double kOutOfOrder = 1e-9;  // rounding of levels that tie
constexpr double kOverfilled = 1e-9;  // the same of loads, as a share of the capacity
constexpr double kNoFlows = 1e-9;     // a sum of shares below this is none

/// [links] true for links that never limit a flow before another one does: all their chains cross
/// that other link too, with no smaller share, and it has no more capacity. It carries at least as
/// many flows, so an incast curve does not change that. Of equal links the first one counts.
std::vector<bool> idle_links(const FlowGraph& graph) {
  std::vector<std::vector<std::uint32_t>> chains(graph.link_count());
  for (std::uint32_t chain = 0; chain < graph.chain_count(); ++chain) {
    for (const ChainLink& hop : graph.links_of(chain)) {
      chains[hop.link].push_back(chain);
    }
  }
  const auto share_on = [&](std::uint32_t chain, std::uint32_t link) {
    for (const ChainLink& hop : graph.links_of(chain)) {
      if (hop.link == link) {
        return hop.share;
      }
    }
    return 0.0;
  };
  std::vector<bool> is_idle(graph.link_count(), false);
  for (std::uint32_t link = 0; link < graph.link_count(); ++link) {
    if (chains[link].empty()) {
      continue;
    }
    const double own = graph.capacity[link];
    is_idle[link] =
        std::ranges::any_of(graph.links_of(chains[link].front()), [&](const ChainLink& hop) {
          const double rival = graph.capacity[hop.link];
          return hop.link != link && (rival < own || (rival == own && hop.link < link)) &&
                 std::ranges::all_of(chains[link], [&](std::uint32_t chain) {
                   return share_on(chain, hop.link) >= share_on(chain, link);
                 });
        });
  }
  return is_idle;
}

}  // namespace

ProgressiveFilling::ProgressiveFilling(const FlowGraph& graph, const SharingLimits& limits)
    : graph_(graph),
      limits_(limits),
      link_offsets_(graph.link_count() + 1, 0),
      capacity_(graph.capacity),
      key_(graph.link_count(), 0),
      held_(graph.link_count(), 0),
      tally_(graph.chain_count()),
      total_(graph.chain_count(), 0),
      level_(graph.chain_count(), limits.rate_cap),
      filled_by_(graph.chain_count(), kNone) {
  const std::vector<bool> is_idle = idle_links(graph);
  for (const ChainLink& hop : graph.chain_links) {
    link_offsets_[hop.link + 1] += is_idle[hop.link] ? 0 : 1;
  }
  std::partial_sum(link_offsets_.begin(), link_offsets_.end(), link_offsets_.begin());
  link_chains_.resize(link_offsets_.back());
  std::vector<std::uint32_t> next(link_offsets_.begin(), link_offsets_.end() - 1);
  for (std::uint32_t chain = 0; chain < graph.chain_count(); ++chain) {
    for (const ChainLink& hop : graph.links_of(chain)) {
      if (!is_idle[hop.link]) {
        link_chains_[next[hop.link]++] = {chain, hop.share};
      }
    }
  }
}

void ProgressiveFilling::fill(const LiveFlows& members, std::span<const double> fixed_load) {
  if (!fill_from_keys(members, fixed_load)) {
    std::ranges::fill(key_, 0);
    fill_from_keys(members, fixed_load);
  }
}

void ProgressiveFilling::push(double key, std::uint32_t link) {
  heap_.emplace_back(key, link);
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
}

void ProgressiveFilling::start(const LiveFlows& members, std::span<const double> fixed_load) {
  for (std::uint32_t chain = 0; chain < tally_.size(); ++chain) {
    tally_[chain] = {fixed_load[chain], static_cast<double>(members.size(chain))};
    level_[chain] = limits_.rate_cap;
    filled_by_[chain] = kNone;
  }
  heap_.clear();
  for (std::uint32_t link = 0; link < capacity_.size(); ++link) {
    if (chains_of(link).empty()) {
      continue;
    }
    if (!limits_.incast.empty()) {
      std::uint32_t flows = 0;
      for (const LinkChain& each : chains_of(link)) {
        flows += members.size(each.chain);
      }
      capacity_[link] = graph_.capacity[link] * incast_efficiency(limits_.incast, flows);
    }
    const Grant grant = grant_of(link);
    if (grant.flows == 0) {
      key_[link] = 0;
    } else {
      heap_.emplace_back(key_[link] > 0 ? key_[link] * kKeySlack : grant.level, link);
    }
  }
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
}

/// False if a key was too high: a link turned out to belong before one already frozen, or was
/// overfilled meanwhile.
bool ProgressiveFilling::fill_from_keys(const LiveFlows& members,
                                        std::span<const double> fixed_load) {
  start(members, fixed_load);
  double last = 0;
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    const std::uint32_t link = heap_.back().second;
    heap_.pop_back();
    const Grant grant = grant_of(link);
    const bool had_key = key_[link] > 0;
    if (grant.flows == 0) {
      if (had_key && grant.left < -kOverfilled * capacity_[link]) {
        return false;
      }
      key_[link] = 0;
      continue;
    }
    if (!heap_.empty() && grant.level > heap_.front().first * (1 + kOutOfOrder)) {
      push(grant.level, link);
      continue;
    }
    if (had_key && grant.level < last * (1 - kOutOfOrder)) {
      return false;
    }
    last = std::max(last, grant.level);
    if (grant.level < limits_.rate_cap) {
      key_[link] = grant.level;
      freeze(link, grant, members);
    }
  }
  return true;
}

ProgressiveFilling::Grant ProgressiveFilling::grant_of(std::uint32_t link) const {
  double left = capacity_[link];
  double flows = 0;
  for (const auto& [chain, share] : chains_of(link)) {
    if (filled_by_[chain] != kNone) {
      left -= share * total_[chain];
      continue;
    }
    left -= share * tally_[chain].load;
    flows += share * tally_[chain].flows;
  }
  return flows > kNoFlows ? Grant{std::max(0.0, left) / flows, flows, left} : Grant{0, 0, left};
}

double ProgressiveFilling::unused_capacity(std::uint32_t link) const {
  double left = capacity_[link];
  for (const auto& [chain, share] : chains_of(link)) {
    const double unfrozen = tally_[chain].flows > 0 ? limits_.rate_cap * tally_[chain].flows : 0;
    left -= share * (filled_by_[chain] != kNone ? total_[chain] : tally_[chain].load + unfrozen);
  }
  return left;
}

void ProgressiveFilling::freeze(std::uint32_t link, const Grant& grant, const LiveFlows& members) {
  held_[link] = 0;
  for (const auto& [chain, share] : chains_of(link)) {
    if (filled_by_[chain] != kNone || members.size(chain) == 0) {
      continue;
    }
    filled_by_[chain] = link;
    held_[link] += tally_[chain].flows;
    level_[chain] = grant.level;
    total_[chain] = tally_[chain].load + grant.level * tally_[chain].flows;
    // Peers that froze earlier are written to as well: nobody reads a frozen chain's tally, and a
    // test per flow would cost more than the addition.
    for (const std::uint32_t peer : members.peers(chain)) {
      tally_[peer].load += grant.level;
      tally_[peer].flows -= 1;
    }
    for (const std::uint32_t peer : members.former_peers(chain)) {
      tally_[peer].load -= grant.level;
      tally_[peer].flows += 1;
    }
  }
}

}  // namespace switchyard
