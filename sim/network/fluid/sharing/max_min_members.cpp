// Flows and links coming and going in the max-min solver, and the first order of links.
#include <algorithm>
#include <numeric>

#include "sim/network/fluid/sharing/max_min_solver.hpp"

namespace switchyard {
namespace {

// Below this many flows per chain it pays to note which equations changed.
constexpr std::uint32_t kMarkingDegree = 6;

}  // namespace

double incast_efficiency(std::span<const IncastPoint> curve, std::uint32_t flows) {
  double efficiency = 1;
  for (const IncastPoint& point : curve) {
    if (static_cast<std::uint32_t>(point.flows) <= flows) {
      efficiency = point.efficiency;
    }
  }
  return efficiency;
}

MaxMinSolver::MaxMinSolver(const FlowGraph& graph, const SharingLimits& limits)
    : graph_(graph),
      limits_(limits),
      members_(graph),
      clock_(graph.chain_count()),
      bounds_(graph),
      link_offsets_(graph.link_count() + 1, 0),
      link_chains_(graph.chain_links.size()),
      capacity_(graph.capacity),
      flows_on_link_(graph.link_count(), 0),
      held_on_link_(graph.link_count(), 0),
      position_(graph.link_count(), kNone),
      level_(graph.link_count(), limits.rate_cap),
      is_dirty_(graph.link_count(), 0),
      is_resting_(graph.link_count(), 0),
      active_link_(graph.chain_links.size()),
      active_count_(graph.chain_count(), 0),
      first_link_(graph.chain_count(), kNone),
      rate_(graph.chain_count(), limits.rate_cap),
      foreign_sum_(graph.chain_count(), 0),
      load_(graph.chain_count(), 0) {
  rate_.push_back(0);
  for (const ChainLink& hop : graph.chain_links) {
    ++link_offsets_[hop.link + 1];
  }
  std::partial_sum(link_offsets_.begin(), link_offsets_.end(), link_offsets_.begin());
  std::vector<std::uint32_t> next(link_offsets_.begin(), link_offsets_.end() - 1);
  for (std::uint32_t chain = 0; chain < graph.chain_count(); ++chain) {
    for (const ChainLink& hop : graph.links_of(chain)) {
      link_chains_[next[hop.link]++] = {chain, hop.share};
    }
  }
}

void MaxMinSolver::add(std::uint32_t flow, double bytes) {
  std::array<std::uint32_t, 2> chains{};
  Side holder = kSourceSide;
  if (is_ordered_) {
    for (const std::size_t side : {0U, 1U}) {
      chains[side] = graph_.flow_chains[side][flow];
      for (const ChainLink& hop : graph_.links_of(chains[side])) {
        // Decided as if the flow were there already; a link without a rival must be active.
        if (position_[hop.link] == kNone && members_.size(chains[side]) == 0) {
          activate(hop.link);
        }
      }
    }
    const std::uint32_t near = position_of_chain(chains[kSourceSide]);
    const std::uint32_t far = position_of_chain(chains[kDestinationSide]);
    holder = far < near ? kDestinationSide : kSourceSide;
    first_affected_ = std::min({first_affected_, near, far});
  }
  const std::uint32_t slot = members_.insert(flow, holder);
  const std::uint32_t chain_holding = members_.holder(slot);
  clock_.hold(chain_holding, slot, bytes);
  bounds_.add(flow, chain_holding);
  count_held(chain_holding, 1);
  for (const std::size_t side : {0U, 1U}) {
    const std::uint32_t chain = graph_.flow_chains[side][flow];
    mark_links_of(chain);
    if (!limits_.incast.empty()) {
      for (const ChainLink& hop : graph_.links_of(chain)) {
        ++flows_on_link_[hop.link];
        update_capacity(hop.link);
      }
    }
  }
}

void MaxMinSolver::remove(std::uint32_t flow) {
  const std::uint32_t slot = members_.slot_of(flow);
  const std::uint32_t holder = members_.holder(slot);
  first_affected_ = std::min(first_affected_, position_of_chain(holder));
  clock_.let_go(holder, slot);
  bounds_.remove(flow, holder);
  count_held(holder, -1);
  members_.erase(slot);
  for (const std::size_t side : {0U, 1U}) {
    const std::uint32_t chain = graph_.flow_chains[side][flow];
    mark_links_of(chain);
    for (const ChainLink& hop : graph_.links_of(chain)) {
      if (!limits_.incast.empty()) {
        --flows_on_link_[hop.link];
        update_capacity(hop.link);
      }
      if (members_.size(chain) == 0 && position_[hop.link] != kNone && is_dominated(hop.link)) {
        deactivate(hop.link);
      }
    }
  }
}

/// Sets the chain's earliest link in the order.
void MaxMinSolver::find_first_link(std::uint32_t chain) {
  const auto held = static_cast<std::int32_t>(members_.held_count(chain));
  count_held(chain, -held);
  first_link_[chain] = kNone;
  std::uint32_t earliest = kNone;
  for (const std::uint32_t link : active_links_of(chain)) {
    if (position_[link] < earliest) {
      earliest = position_[link];
      first_link_[chain] = link;
    }
  }
  count_held(chain, held);
}

/// So many more flows are held at the chain's earliest link.
void MaxMinSolver::count_held(std::uint32_t chain, std::int32_t flows) {
  if (first_link_[chain] != kNone) {
    held_on_link_[first_link_[chain]] += static_cast<std::uint32_t>(flows);
  }
}

/// Appends the link to the order, as one that is not full.
void MaxMinSolver::activate(std::uint32_t link) {
  position_[link] = static_cast<std::uint32_t>(order_.size());
  order_.push_back(link);
  level_[link] = limits_.rate_cap;
  mark(link);
  for (const auto& [chain, share] : chains_of(link)) {
    active_link_[graph_.chain_offsets[chain] + active_count_[chain]++] = link;
    find_first_link(chain);
  }
}

void MaxMinSolver::deactivate(std::uint32_t link) {
  unmark(link);
  const std::uint32_t position = position_[link];
  for (std::size_t k = position + 1; k < order_.size(); ++k) {
    order_[k - 1] = order_[k];
    --position_[order_[k]];
  }
  order_.pop_back();
  position_[link] = kNone;
  if (first_affected_ != kNone && position < first_affected_) {
    --first_affected_;
  }
  for (const auto& [chain, share] : chains_of(link)) {
    const auto links = std::span(active_link_).subspan(graph_.chain_offsets[chain]);
    std::swap(*std::ranges::find(links, link), links[--active_count_[chain]]);
  }
  for (const auto& [chain, share] : chains_of(link)) {
    if (first_link_[chain] == link) {
      find_first_link(chain);
      mark_links_of(chain);
      hand_over_passed(chain);
    }
  }
}

/// True if the link can never be the slowest of any flow under way: it carries none, or another
/// link carries all of them, with no more capacity (and, having at least as many flows, no better
/// incast efficiency) and no smaller shares. The tie on equal links goes to the lower number.
bool MaxMinSolver::is_dominated(std::uint32_t link) const {
  const auto is_in_use = [&](const LinkChain& each) { return members_.size(each.chain) > 0; };
  const auto chains = chains_of(link);
  const auto first = std::ranges::find_if(chains, is_in_use);
  if (first == chains.end()) {
    return true;
  }
  const auto covers = [&](std::uint32_t rival, const LinkChain& each) {
    return std::ranges::any_of(graph_.links_of(each.chain), [&](const ChainLink& hop) {
      return hop.link == rival && hop.share >= each.share;
    });
  };
  return std::ranges::any_of(graph_.links_of(first->chain), [&](const ChainLink& hop) {
    const double rival = graph_.capacity[hop.link];
    const double own = graph_.capacity[link];
    if (hop.link == link || rival > own || (rival == own && hop.link > link)) {
      return false;
    }
    return std::all_of(first, chains.end(), [&](const LinkChain& each) {
      return !is_in_use(each) || covers(hop.link, each);
    });
  });
}

void MaxMinSolver::update_capacity(std::uint32_t link) {
  capacity_[link] = graph_.capacity[link] * incast_efficiency(limits_.incast, flows_on_link_[link]);
}

/// Marks cost one pass over the held flows of every chain whose rate changes and save evaluations;
/// with long chains nearly every equation changes at every event, so they save nothing.
void MaxMinSolver::choose_marking() {
  const std::uint32_t dense_from =
      static_cast<std::uint32_t>(graph_.chain_count()) / 2 * kMarkingDegree;
  const bool should_mark = members_.flow_count() < dense_from;
  const bool begins = should_mark && !is_marking_;
  is_marking_ = should_mark;
  if (begins) {
    for (const std::uint32_t link : order_) {
      mark(link);
    }
  }
}

/// Starts from scratch: links in the order of an even split, each flow held by the earlier chain.
void MaxMinSolver::build_order() {
  std::vector<double> flows(graph_.link_count(), 0);
  for (std::uint32_t chain = 0; chain < graph_.chain_count(); ++chain) {
    for (const ChainLink& hop : graph_.links_of(chain)) {
      flows[hop.link] += hop.share * members_.size(chain);
    }
  }
  order_.clear();
  for (std::uint32_t link = 0; link < graph_.link_count(); ++link) {
    if (flows[link] > 0 && !is_dominated(link)) {
      order_.push_back(link);
      level_[link] = std::min(capacity_[link] / flows[link], limits_.rate_cap);
    }
  }
  std::ranges::stable_sort(order_, {}, [&](std::uint32_t link) { return level_[link]; });
  for (std::uint32_t k = 0; k < order_.size(); ++k) {
    position_[order_[k]] = k;
    for (const auto& [chain, share] : chains_of(order_[k])) {
      active_link_[graph_.chain_offsets[chain] + active_count_[chain]++] = order_[k];
      find_first_link(chain);
    }
  }
  is_ordered_ = true;
  first_affected_ = 0;
  for (std::uint32_t chain = 0; chain < graph_.chain_count(); ++chain) {
    if (graph_.chain_side[chain] == kSourceSide) {
      hand_over_passed(chain);
    }
  }
}

}  // namespace switchyard
