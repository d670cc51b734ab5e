// Flow graphs from plain routes, for tests of the engine's parts.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "sim/network/fluid/sharing/flow_graph.hpp"

namespace switchyard::testing {

/// Cuts each route in the middle and gives equal halves one chain.
class RouteFlows {
 public:
  explicit RouteFlows(std::vector<double> capacity) : builder_(std::move(capacity)) {}

  void add(const std::vector<ChainLink>& route) {
    const auto middle = route.begin() + static_cast<std::ptrdiff_t>((route.size() + 1) / 2);
    const std::uint32_t near = chain({route.begin(), middle}, kSourceSide);
    builder_.add_flow(near, chain({middle, route.end()}, kDestinationSide));
  }

  [[nodiscard]] FlowGraph take() && { return std::move(builder_).take(); }

 private:
  using Key = std::pair<Side, std::vector<std::pair<std::uint32_t, double>>>;

  std::uint32_t chain(const std::vector<ChainLink>& links, Side side) {
    Key key{side, {}};
    for (const ChainLink& link : links) {
      key.second.emplace_back(link.link, link.share);
    }
    const auto found = chains_.find(key);
    return found != chains_.end()
               ? found->second
               : chains_.emplace(key, builder_.add_chain(links, side, 0)).first->second;
  }

  FlowGraphBuilder builder_;
  std::map<Key, std::uint32_t> chains_;
};

}  // namespace switchyard::testing
