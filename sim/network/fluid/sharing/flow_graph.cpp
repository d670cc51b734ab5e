// The split into components by union-find.
#include "sim/network/fluid/sharing/flow_graph.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "core/check.hpp"

namespace switchyard {
namespace {

/// Union-find with path halving; the smaller number is the root, so roots are deterministic.
class DisjointSets {
 public:
  explicit DisjointSets(std::size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), 0U);
  }

  std::uint32_t root(std::uint32_t item) {
    while (parent_[item] != item) {
      parent_[item] = parent_[parent_[item]];
      item = parent_[item];
    }
    return item;
  }

  void join(std::uint32_t a, std::uint32_t b) {
    a = root(a);
    b = root(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::uint32_t> parent_;
};

/// Gives dense numbers to the items used by one component, in order of first use.
class Renumbering {
 public:
  explicit Renumbering(std::size_t count) : number_(count, kNone) {}

  std::uint32_t operator()(std::uint32_t item) {
    if (number_[item] == kNone) {
      number_[item] = static_cast<std::uint32_t>(items_.size());
      items_.push_back(item);
    }
    return number_[item];
  }

  [[nodiscard]] const std::vector<std::uint32_t>& items() const { return items_; }

  [[nodiscard]] std::uint32_t number(std::uint32_t item) const { return number_[item]; }

  void clear() {
    for (const std::uint32_t item : items_) {
      number_[item] = kNone;
    }
    items_.clear();
  }

 private:
  std::vector<std::uint32_t> number_;
  std::vector<std::uint32_t> items_;
};

std::uint32_t first_link(const FlowGraph& graph, std::size_t flow) {
  return graph.links_of(graph.flow_chains[kSourceSide][flow]).front().link;
}

/// Links joined by a flow that crosses both.
DisjointSets joined_links(const FlowGraph& graph) {
  DisjointSets sets(graph.link_count());
  for (std::uint32_t chain = 0; chain < graph.chain_count(); ++chain) {
    const auto links = graph.links_of(chain);
    for (const ChainLink& hop : links) {
      sets.join(links.front().link, hop.link);
    }
  }
  for (std::size_t flow = 0; flow < graph.flow_count(); ++flow) {
    const auto far = graph.links_of(graph.flow_chains[kDestinationSide][flow]);
    if (!far.empty()) {
      sets.join(first_link(graph, flow), far.front().link);
    }
  }
  return sets;
}

FlowGraph subgraph(const FlowGraph& whole,
                   FlowChains flow_chains,
                   std::vector<std::uint32_t>& links,
                   Renumbering& chains,
                   Renumbering& link_numbers) {
  FlowGraph part;
  part.flow_chains = std::move(flow_chains);
  for (auto& of_side : part.flow_chains) {
    std::ranges::transform(of_side, of_side.begin(), std::ref(chains));
  }
  for (const std::uint32_t chain : chains.items()) {
    for (const ChainLink& hop : whole.links_of(chain)) {
      link_numbers(hop.link);
    }
  }
  links = link_numbers.items();
  std::sort(links.begin(), links.end());
  link_numbers.clear();
  for (const std::uint32_t link : links) {
    link_numbers(link);
    part.capacity.push_back(whole.capacity[link]);
  }
  part.chain_offsets.push_back(0);
  for (const std::uint32_t chain : chains.items()) {
    part.chain_side.push_back(whole.chain_side[chain]);
    part.chain_latency_s.push_back(whole.chain_latency_s[chain]);
    for (const ChainLink& hop : whole.links_of(chain)) {
      part.chain_links.push_back({link_numbers.number(hop.link), hop.share});
    }
    part.chain_offsets.push_back(static_cast<std::uint32_t>(part.chain_links.size()));
  }
  chains.clear();
  link_numbers.clear();
  return part;
}

}  // namespace

FlowGraphBuilder::FlowGraphBuilder(std::vector<double> capacity) {
  graph_.capacity = std::move(capacity);
  graph_.chain_offsets.push_back(0);
}

std::uint32_t FlowGraphBuilder::add_chain(std::span<const ChainLink> links,
                                          Side side,
                                          double latency_s) {
  SWITCHYARD_CHECK(side == kDestinationSide || !links.empty(), "a flow crosses no link");
  graph_.chain_side.push_back(side);
  graph_.chain_latency_s.push_back(latency_s);
  graph_.chain_links.insert(graph_.chain_links.end(), links.begin(), links.end());
  graph_.chain_offsets.push_back(static_cast<std::uint32_t>(graph_.chain_links.size()));
  return static_cast<std::uint32_t>(graph_.chain_count() - 1);
}

void FlowGraphBuilder::add_flow(std::uint32_t near, std::uint32_t far) {
  graph_.flow_chains[kSourceSide].push_back(near);
  graph_.flow_chains[kDestinationSide].push_back(far);
}

void FlowGraphBuilder::reserve_flows(std::size_t count) {
  for (auto& chains : graph_.flow_chains) {
    chains.reserve(count);
  }
}

FlowGraph FlowGraphBuilder::take() && {
  return std::move(graph_);
}

Component extract_component(const FlowGraph& graph,
                            std::vector<std::uint32_t> flows,
                            FlowChains flow_chains) {
  Renumbering chains(graph.chain_count());
  Renumbering links(graph.link_count());
  Component component;
  component.flows = std::move(flows);
  component.graph = subgraph(graph, std::move(flow_chains), component.links, chains, links);
  return component;
}

bool is_connected(const FlowGraph& graph) {
  DisjointSets links = joined_links(graph);
  const std::uint32_t root = links.root(first_link(graph, 0));
  for (std::size_t flow = 1; flow < graph.flow_count(); ++flow) {
    if (links.root(first_link(graph, flow)) != root) {
      return false;
    }
  }
  return true;
}

// By value: the whole is not needed beside its parts any more.
std::vector<Component> split_components(FlowGraph graph) {
  DisjointSets sets = joined_links(graph);
  std::vector<std::uint32_t> component_of_root(graph.link_count(), kNone);
  std::vector<Component> components;
  for (std::uint32_t flow = 0; flow < graph.flow_count(); ++flow) {
    std::uint32_t& component = component_of_root[sets.root(first_link(graph, flow))];
    if (component == kNone) {
      component = static_cast<std::uint32_t>(components.size());
      components.emplace_back();
    }
    components[component].flows.push_back(flow);
  }
  Renumbering chains(graph.chain_count());
  Renumbering links(graph.link_count());
  for (Component& component : components) {
    FlowChains of_flows;
    for (const std::size_t side : {0U, 1U}) {
      of_flows[side].resize(component.flows.size());
      std::ranges::transform(component.flows, of_flows[side].begin(), [&](std::uint32_t flow) {
        return graph.flow_chains[side][flow];
      });
    }
    component.graph = subgraph(graph, std::move(of_flows), component.links, chains, links);
  }
  return components;
}

}  // namespace switchyard
