// One sharing problem as plain arrays: links, chains of links, and flows that cross two chains.
// The surprise: no topology is recognised by name. Every route is cut in the middle and each
// distinct half is stored once, so on tree-like fabrics thousands of flows share a few chains and
// the solver works per chain; on any other fabric it stays right and only has more chains.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace switchyard {

/// Number that stands for "no such link, chain, flow or position".
inline constexpr std::uint32_t kNone = 0xffffffffU;

/// The two halves of a route.
enum Side : std::uint8_t { kSourceSide = 0, kDestinationSide = 1 };

/// A link of a chain; the flows of the chain put `share` of their rate on it (below 1 where a route
/// is spread over several equal paths).
struct ChainLink {
  std::uint32_t link = 0;
  double share = 1;

  bool operator==(const ChainLink&) const = default;
};

struct FlowGraph {
  std::vector<double> capacity;              // [links] bytes/s
  std::vector<std::uint32_t> chain_offsets;  // [chains + 1] into chain_links
  std::vector<ChainLink> chain_links;
  std::vector<std::uint8_t> chain_side;                   // [chains] Side
  std::array<std::vector<std::uint32_t>, 2> flow_chains;  // [Side][flows] chain

  [[nodiscard]] std::size_t link_count() const { return capacity.size(); }

  [[nodiscard]] std::size_t chain_count() const { return chain_side.size(); }

  [[nodiscard]] std::size_t flow_count() const { return flow_chains[kSourceSide].size(); }

  [[nodiscard]] std::span<const ChainLink> links_of(std::uint32_t chain) const {
    return std::span(chain_links)
        .subspan(chain_offsets[chain], chain_offsets[chain + 1] - chain_offsets[chain]);
  }
};

/// Builds a FlowGraph flow by flow, storing each distinct half route once.
class FlowGraphBuilder {
 public:
  explicit FlowGraphBuilder(std::vector<double> capacity);

  /// Appends a flow whose route crosses `hops` (at least one) in path order.
  void add_flow(std::span<const ChainLink> hops);

  [[nodiscard]] FlowGraph take() &&;

 private:
  std::uint32_t intern(std::span<const ChainLink> half, Side side);
  void grow_table();

  FlowGraph graph_;
  std::vector<std::uint32_t> table_;   // open addressing: chain number or kNone
  std::vector<std::uint64_t> hashes_;  // [chains]
};

/// A part of a problem that shares no link with the rest, and which flows of the whole it holds.
struct Component {
  FlowGraph graph;
  std::vector<std::uint32_t> flows;  // [component flows] number in the whole, ascending
  std::vector<std::uint32_t> links;  // [component links] number in the whole, ascending
};

/// The part of a problem that `flows` (ascending) need.
Component extract_component(const FlowGraph& graph, std::vector<std::uint32_t> flows);

/// Splits a problem into its connected components, in order of their first flow.
std::vector<Component> split_components(FlowGraph graph);

}  // namespace switchyard
