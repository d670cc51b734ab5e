// Flows come and go in lists that are only put in order now and then: against plain maps.
#include "sim/network/fluid/sharing/live_flows.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include <gtest/gtest.h>

#include "core/numbers/random.hpp"
#include "tests/support/networks/flow_graphs.hpp"

namespace switchyard {
namespace {

constexpr std::uint32_t kSide = 5;  // links on either side; a chain each

FlowGraph crossbar(RandomStream& random, std::size_t flows) {
  testing::RouteFlows routes(std::vector<double>(2 * kSide, 1.0));
  for (std::size_t flow = 0; flow < flows; ++flow) {
    routes.add({{static_cast<std::uint32_t>(random.index(kSide)), 1.0},
                {static_cast<std::uint32_t>(kSide + random.index(kSide)), 1.0}});
  }
  return std::move(routes).take();
}

/// Other chains of the flows on a chain, as the lists say.
std::vector<std::uint32_t> listed_peers(const LiveFlows& live, std::uint32_t chain) {
  const auto peers = live.peers(chain);
  std::vector<std::uint32_t> listed(peers.begin(), peers.end());
  for (const std::uint32_t former : live.former_peers(chain)) {
    const auto found = std::ranges::find(listed, former);
    if (found == listed.end()) {
      return {};
    }
    listed.erase(found);
  }
  std::ranges::sort(listed);
  return listed;
}

void expect_same(const LiveFlows& live,
                 const FlowGraph& graph,
                 const std::map<std::uint32_t, double>& left) {
  ASSERT_EQ(live.flow_count(), left.size());
  for (std::uint32_t chain = 0; chain < graph.chain_count(); ++chain) {
    const Side side = static_cast<Side>(graph.chain_side[chain]);
    std::vector<std::uint32_t> expected;
    for (const auto& [flow, bytes] : left) {
      if (graph.flow_chains[side][flow] == chain) {
        expected.push_back(graph.flow_chains[1 - side][flow]);
      }
    }
    std::ranges::sort(expected);
    ASSERT_EQ(live.size(chain), expected.size());
    ASSERT_EQ(listed_peers(live, chain), expected);
  }
  live.for_each([&](LiveFlows::Entry entry) {
    const std::uint32_t flow = live.flow_of(entry.number);
    ASSERT_EQ(graph.flow_chains[kSourceSide][flow], entry.near);
    ASSERT_EQ(graph.flow_chains[kDestinationSide][flow], live.far_of(entry.number));
    ASSERT_NEAR(live.left(entry.number), left.at(flow), 1e-12);
  });
}

TEST(LiveFlows, AreThoseThatStartedAndHaveNotEnded) {
  RandomStream random(11, {0});
  const FlowGraph graph = crossbar(random, 400);
  std::vector<double> bytes(graph.flow_count());
  std::ranges::generate(bytes, [&] { return 0.1 + random.uniform(); });
  std::vector<double> start_s(graph.flow_count());
  std::ranges::generate(start_s, [&] { return static_cast<double>(random.index(40)); });
  FlowGraph without_chains = graph;
  LiveFlows live(without_chains, {}, start_s);
  std::map<std::uint32_t, double> left;
  std::size_t started = 0;
  double past = 0;
  std::vector<double> levels(graph.chain_count(), 1.0);
  for (int window = 0; window < 60; ++window) {
    std::vector<LiveFlows::Ending> endings;
    const double next = 0.05;
    live.sweep(levels, past, next, endings);
    std::map<std::uint32_t, double> ended;
    for (auto& [flow, rest] : left) {
      const double rate = std::min(levels[graph.flow_chains[kSourceSide][flow]],
                                   levels[graph.flow_chains[kDestinationSide][flow]]);
      rest -= rate * past;
      if (rest <= rate * next) {
        ended.emplace(flow, rest / rate);
      }
    }
    ASSERT_EQ(endings.size(), ended.size()) << "window " << window;
    for (const LiveFlows::Ending& ending : endings) {
      const std::uint32_t flow = live.flow_of(ending.entry);
      ASSERT_NEAR(ending.after, ended.at(flow), 1e-12);
      ASSERT_EQ(ending.near, graph.flow_chains[kSourceSide][flow]);
      left.erase(flow);
    }
    std::ranges::reverse(endings);  // any order will do
    live.remove(endings);
    live.start_due(window, [&](std::uint32_t flow) {
      EXPECT_EQ(start_s[flow], window);
      left[flow] = bytes[flow];
      ++started;
      return bytes[flow];
    });
    expect_same(live, graph, left);
    EXPECT_EQ(live.waiting_count(), graph.flow_count() - started);
    past = next;
    std::ranges::generate(levels, [&] { return 0.5 + random.uniform(); });
  }
  EXPECT_EQ(started, graph.flow_count());
  EXPECT_EQ(live.next_start(), std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace switchyard
