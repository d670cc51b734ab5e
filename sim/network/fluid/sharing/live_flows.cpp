#include "sim/network/fluid/sharing/live_flows.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "sim/network/fluid/sharing/vector_clones.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kMostFormer = 4;  // a list is put in order when a 4th of it is outdated
constexpr std::size_t kBlock = 32;      // flows looked at together; few blocks hold an end

/// Moves the flows of one near chain on; writes which of them end, answers how many.
SWITCHYARD_VECTOR_CLONES
std::size_t sweep_chain(double* left,
                        const std::uint32_t* far,
                        std::size_t count,
                        double own_level,
                        const double* levels,
                        double past,
                        double next,
                        std::uint32_t* ending) {
  std::size_t found = 0;
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t end = begin + kBlock < count ? begin + kBlock : count;
    double least = 1;  // of what the flows have left after `next`
    for (std::size_t k = begin; k < end; ++k) {
      const double other = levels[far[k]];
      const double rate = own_level < other ? own_level : other;
      left[k] -= rate * past;
      const double after = left[k] - rate * next;
      least = after < least ? after : least;
    }
    if (least > 0) {
      continue;
    }
    for (std::size_t k = begin; k < end; ++k) {
      const double other = levels[far[k]];
      const double rate = own_level < other ? own_level : other;
      if (left[k] - rate * next <= 0) {
        ending[found++] = static_cast<std::uint32_t>(k);
      }
    }
  }
  return found;
}

/// Keeps the peers that are not leaving; answers how many stay.
std::uint32_t keep_others(std::uint32_t* peers, std::uint32_t count, std::uint32_t* leaving) {
  std::uint32_t kept = 0;
  for (std::uint32_t k = 0; k < count; ++k) {
    const std::uint32_t peer = peers[k];
    const std::uint32_t leaves = leaving[peer] != 0 ? 1 : 0;
    leaving[peer] -= leaves;
    peers[kept] = peer;
    kept += 1 - leaves;
  }
  return kept;
}

}  // namespace

LiveFlows::LiveFlows(FlowGraph& graph,
                     std::span<const std::uint32_t> numbers,
                     std::span<const double> start_s)
    : graph_(&graph),
      start_s_(start_s),
      waiting_count_(graph.flow_count()),
      first_(graph.chain_count(), 0),
      size_(graph.chain_count(), 0),
      waiting_(graph.chain_count(), 0),
      end_(graph.chain_count(), 0),
      flow_of_entry_(graph.flow_count()),
      far_of_entry_(graph.flow_count()),
      former_(graph.chain_count()),
      leaving_(graph.chain_count(), 0) {
  list(graph.flow_chains, numbers);
  graph.flow_chains = {};
  left_.resize(waiting_count_);
  near_of_far_.resize(waiting_count_);
}

void LiveFlows::list(const FlowChains& chains, std::span<const std::uint32_t> numbers) {
  const auto& [near, far] = chains;
  std::vector<std::uint32_t> flows(first_.size(), 0);
  for (std::size_t flow = 0; flow < near.size(); ++flow) {
    ++flows[near[flow]];
    ++flows[far[flow]];
  }
  std::array<std::uint32_t, 2> next{};
  for (std::size_t chain = 0; chain < flows.size(); ++chain) {
    std::uint32_t& entry = next[graph_->chain_side[chain]];
    first_[chain] = waiting_[chain] = end_[chain] = entry;
    entry += flows[chain];
  }
  for (std::uint32_t flow = 0; flow < near.size(); ++flow) {
    const std::uint32_t entry = end_[near[flow]]++;
    flow_of_entry_[entry] = numbers.empty() ? flow : numbers[flow];
    far_of_entry_[entry] = far[flow];
  }
  for (std::uint32_t chain = 0; chain < first_.size(); ++chain) {
    sort_by_start(chain);
    if (waiting_[chain] < end_[chain]) {
      next_start_ = std::min(next_start_, start_of(flow_of_entry_[waiting_[chain]]));
    }
  }
}

void LiveFlows::sort_by_start(std::uint32_t near_chain) {
  const auto is_before = [this](std::uint32_t a, std::uint32_t b) {
    return start_of(a) < start_of(b);
  };
  const std::span flows =
      std::span(flow_of_entry_).subspan(first_[near_chain], end_[near_chain] - first_[near_chain]);
  if (std::ranges::is_sorted(flows, is_before)) {  // all of one rank, as a rule
    return;
  }
  std::vector<std::pair<std::uint32_t, std::uint32_t>> listed;
  for (std::uint32_t entry = first_[near_chain]; entry < end_[near_chain]; ++entry) {
    listed.emplace_back(flow_of_entry_[entry], far_of_entry_[entry]);
  }
  std::ranges::stable_sort(listed, is_before, &std::pair<std::uint32_t, std::uint32_t>::first);
  std::uint32_t entry = first_[near_chain];
  for (const auto& [flow, far] : listed) {
    flow_of_entry_[entry] = flow;
    far_of_entry_[entry] = far;
    ++entry;
  }
}

void LiveFlows::start_next(std::uint32_t near_chain, double bytes) {
  const std::uint32_t from = waiting_[near_chain]++;
  const std::uint32_t far = far_of_entry_[from];
  forget_former_peers(far);
  const std::uint32_t entry = first_[near_chain] + size_[near_chain]++;
  flow_of_entry_[entry] = flow_of_entry_[from];
  far_of_entry_[entry] = far;
  left_[entry] = bytes;
  near_of_far_[first_[far] + size_[far]++] = near_chain;
  ++flow_count_;
  --waiting_count_;
}

void LiveFlows::sweep(std::span<const double> levels,
                      double past,
                      double next,
                      std::vector<Ending>& endings) {
  std::vector<std::uint32_t> found;
  for (std::uint32_t chain = 0; chain < size_.size(); ++chain) {
    if (graph_->chain_side[chain] != kSourceSide || size_[chain] == 0) {
      continue;
    }
    found.resize(std::max<std::size_t>(found.size(), size_[chain]));
    double* left = left_.data() + first_[chain];
    const std::uint32_t* far = far_of_entry_.data() + first_[chain];
    const std::size_t count = sweep_chain(
        left, far, size_[chain], levels[chain], levels.data(), past, next, found.data());
    for (std::size_t k = 0; k < count; ++k) {
      const double rate = std::min(levels[chain], levels[far[found[k]]]);
      endings.push_back({rate > 0 ? left[found[k]] / rate : 0.0, first_[chain] + found[k], chain});
    }
  }
}

void LiveFlows::remove(std::vector<Ending>& endings) {
  // From the back, so that the last entry of a chain, moved into the gap, is never itself leaving.
  if (!std::ranges::is_sorted(endings, {}, &Ending::entry)) {
    std::ranges::sort(endings, {}, &Ending::entry);
  }
  for (auto ending = endings.rbegin(); ending != endings.rend(); ++ending) {
    const std::uint32_t entry = ending->entry;
    const std::uint32_t far = far_of_entry_[entry];
    former_[far].push_back(ending->near);
    --size_[far];
    const std::uint32_t last = first_[ending->near] + --size_[ending->near];
    flow_of_entry_[entry] = flow_of_entry_[last];
    far_of_entry_[entry] = far_of_entry_[last];
    left_[entry] = left_[last];
  }
  flow_count_ -= endings.size();
  for (std::uint32_t chain = 0; chain < size_.size(); ++chain) {
    if (former_[chain].size() * kMostFormer > size_[chain]) {
      forget_former_peers(chain);
    }
  }
}

void LiveFlows::forget_former_peers(std::uint32_t far) {
  std::vector<std::uint32_t>& former = former_[far];
  if (former.empty()) {
    return;
  }
  for (const std::uint32_t near : former) {
    ++leaving_[near];
  }
  const auto listed = static_cast<std::uint32_t>(size_[far] + former.size());
  size_[far] = keep_others(near_of_far_.data() + first_[far], listed, leaving_.data());
  former.clear();
}

}  // namespace switchyard
