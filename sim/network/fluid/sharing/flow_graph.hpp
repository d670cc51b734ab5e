// One sharing problem as plain arrays: links, chains of links, and flows that cross two chains.
// The surprise: no topology is recognised by name. Chains are the halves of the route table, each
// stored once, so on tree-like fabrics thousands of flows share a few chains and the solver works
// per chain; on any other fabric it stays right and only has more chains.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace switchyard {

/// Number that stands for "no such link, chain, flow or position".
inline constexpr std::uint32_t kNone = 0xffffffffU;

/// The two halves of a route.
using Side = std::uint8_t;
inline constexpr Side kSourceSide = 0;
inline constexpr Side kDestinationSide = 1;

/// A link of a chain; the flows of the chain put `share` of their rate on it (below 1 where a route
/// is spread over several equal paths).
struct ChainLink {
  std::uint32_t link = 0;
  double share = 1;

  bool operator==(const ChainLink&) const = default;
};

/// [Side][flows] the two chains of each flow.
using FlowChains = std::array<std::vector<std::uint32_t>, 2>;

struct FlowGraph {
  std::vector<double> capacity;              // [links] bytes/s
  std::vector<std::uint32_t> chain_offsets;  // [chains + 1] into chain_links
  std::vector<ChainLink> chain_links;
  std::vector<std::uint8_t> chain_side;  // [chains] Side
  std::vector<double> chain_latency_s;   // [chains] a flow has that of both
  FlowChains flow_chains;

  [[nodiscard]] std::size_t link_count() const { return capacity.size(); }

  [[nodiscard]] std::size_t chain_count() const { return chain_side.size(); }

  [[nodiscard]] std::size_t flow_count() const { return flow_chains[kSourceSide].size(); }

  /// From drained to finished.
  [[nodiscard]] double latency_s(std::size_t flow) const {
    return chain_latency_s[flow_chains[kSourceSide][flow]] +
           chain_latency_s[flow_chains[kDestinationSide][flow]];
  }

  [[nodiscard]] std::span<const ChainLink> links_of(std::uint32_t chain) const {
    return std::span(chain_links)
        .subspan(chain_offsets[chain], chain_offsets[chain + 1] - chain_offsets[chain]);
  }
};

/// Builds a FlowGraph chain by chain and flow by flow.
class FlowGraphBuilder {
 public:
  explicit FlowGraphBuilder(std::vector<double> capacity);

  /// Appends a half route and answers its number. A near half crosses a link at least.
  std::uint32_t add_chain(std::span<const ChainLink> links, Side side, double latency_s);

  /// Appends a flow that crosses two chains.
  void add_flow(std::uint32_t near, std::uint32_t far);

  void reserve_flows(std::size_t count);

  [[nodiscard]] FlowGraph take() &&;

 private:
  FlowGraph graph_;
};

/// A part of a problem that shares no link with the rest, and which flows of the whole it holds.
struct Component {
  FlowGraph graph;
  std::vector<std::uint32_t> flows;  // [component flows] number in the whole, ascending
  std::vector<std::uint32_t> links;  // [component links] number in the whole, ascending
};

/// The part of a problem that `flows` (ascending) need, which cross `flow_chains`.
Component extract_component(const FlowGraph& graph,
                            std::vector<std::uint32_t> flows,
                            FlowChains flow_chains);

/// True if the links join all flows into one problem.
bool is_connected(const FlowGraph& graph);

/// Splits a problem into its connected components, in order of their first flow.
std::vector<Component> split_components(FlowGraph graph);

}  // namespace switchyard
