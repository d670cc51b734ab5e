// The solver against the definition of max-min fairness: no link carries more than it can, and
// every flow crosses a full link on which no flow is faster. Checked on random graphs of chains
// while flows come and go, so that the order kept between events is exercised in both directions.
#include "sim/network/fluid/sharing/max_min_solver.hpp"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "core/numbers/random.hpp"
#include "tests/support/networks/flow_graphs.hpp"

namespace switchyard {
namespace {

constexpr double kRateRounding =
    1e-11;  // sums of some hundred rates, and the order's own tolerance

/// Flows over random routes of two to five links; shares below one on some links.
FlowGraph random_graph(RandomStream& random, std::size_t links, std::size_t flows, bool spreads) {
  std::vector<double> capacity(links);
  std::ranges::generate(capacity, [&] { return 1 + 9 * random.uniform(); });
  std::vector<double> share(links, 1.0);
  if (spreads) {
    std::ranges::generate(share, [&] { return random.index(2) == 0 ? 1.0 : 0.25; });
  }
  testing::RouteFlows builder(capacity);
  for (std::size_t flow = 0; flow < flows; ++flow) {
    std::set<std::uint32_t> chosen;
    const std::size_t length = 2 + random.index(4);
    while (chosen.size() < std::min(length, links)) {
      chosen.insert(static_cast<std::uint32_t>(random.index(links)));
    }
    std::vector<ChainLink> route;
    for (const std::uint32_t link : chosen) {
      route.push_back({link, share[link]});
    }
    builder.add(route);
  }
  return std::move(builder).take();
}

/// GPUs with a fast link that all their flows cross and a NIC that only remote ones do. Whenever
/// the last local flow of a GPU ends, its fast link cannot matter any more and leaves the order.
FlowGraph nested_graph(RandomStream& random, std::uint32_t gpus, std::size_t flows) {
  std::vector<double> capacity;
  for (std::uint32_t gpu = 0; gpu < gpus; ++gpu) {
    for (const double rate : {4.0, 3.0, 4.0, 3.0}) {  // up, NIC out, down, NIC in
      capacity.push_back(rate * (1 + random.uniform()));
    }
  }
  testing::RouteFlows builder(capacity);
  for (std::size_t flow = 0; flow < flows; ++flow) {
    const auto from = static_cast<std::uint32_t>(4 * random.index(gpus));
    const auto to = static_cast<std::uint32_t>(4 * random.index(gpus));
    if (random.index(3) == 0) {
      builder.add(std::vector<ChainLink>{{from, 1.0}, {to + 2, 1.0}});
    } else {
      builder.add(
          std::vector<ChainLink>{{from, 1.0}, {from + 1, 1.0}, {to + 3, 1.0}, {to + 2, 1.0}});
    }
  }
  return std::move(builder).take();
}

/// What is wrong with the solver's rates; empty when they are max-min fair.
std::string unfairness(const FlowGraph& graph,
                       const MaxMinSolver& solver,
                       const std::set<std::uint32_t>& under_way,
                       double cap) {
  std::vector<double> load(graph.link_count(), 0);
  std::vector<double> fastest(graph.link_count(), 0);
  const auto for_each_hop = [&](std::uint32_t flow, const auto& visit) {
    for (const auto& chains : graph.flow_chains) {
      for (const ChainLink& hop : graph.links_of(chains[flow])) {
        visit(hop);
      }
    }
  };
  for (const std::uint32_t flow : under_way) {
    for_each_hop(flow, [&](const ChainLink& hop) {
      load[hop.link] += hop.share * solver.rate(flow);
      fastest[hop.link] = std::max(fastest[hop.link], solver.rate(flow));
    });
  }
  for (std::size_t link = 0; link < load.size(); ++link) {
    if (load[link] > graph.capacity[link] * (1 + kRateRounding)) {
      return "link " + std::to_string(link) + " is overloaded";
    }
  }
  for (const std::uint32_t flow : under_way) {
    bool is_limited = solver.rate(flow) >= cap * (1 - kRateRounding);
    for_each_hop(flow, [&](const ChainLink& hop) {
      is_limited |= load[hop.link] >= graph.capacity[hop.link] * (1 - kRateRounding) &&
                    solver.rate(flow) >= fastest[hop.link] * (1 - kRateRounding);
    });
    if (!is_limited || solver.rate(flow) > cap * (1 + kRateRounding)) {
      return "flow " + std::to_string(flow) + " has no bottleneck";
    }
  }
  return "";
}

/// Adds and removes flows at random and checks the rates after each step.
void come_and_go(const FlowGraph& graph, std::uint64_t seed, double cap) {
  RandomStream random(seed, {4});
  const std::size_t flows = graph.flow_count();
  MaxMinSolver solver(graph, {.rate_cap = cap});
  std::set<std::uint32_t> under_way;
  for (std::uint32_t flow = 0; flow < flows; flow += 2) {
    solver.add(flow, 1);
    under_way.insert(flow);
  }
  for (int step = 0; step < 120; ++step) {
    const auto flow = static_cast<std::uint32_t>(random.index(flows));
    if (under_way.erase(flow) > 0) {
      solver.remove(flow);
    } else {
      solver.add(flow, 1);
      under_way.insert(flow);
    }
    solver.settle();
    ASSERT_EQ(unfairness(graph, solver, under_way, cap), "") << "seed " << seed << " step " << step;
  }
}

void exercise(std::uint64_t seed, bool spreads, double cap) {
  RandomStream random(seed, {1});
  const std::size_t links = 4 + random.index(30);
  const std::size_t flows = 1 + random.index(300);
  come_and_go(random_graph(random, links, flows, spreads), seed, cap);
}

TEST(MaxMinSolver, StaysFairWhenLinksCeaseToMatter) {
  for (std::uint64_t seed = 300; seed < 360; ++seed) {
    RandomStream random(seed, {3});
    const auto gpus = static_cast<std::uint32_t>(2 + random.index(6));
    come_and_go(nested_graph(random, gpus, 1 + random.index(60)),
                seed,
                std::numeric_limits<double>::infinity());
  }
}

TEST(MaxMinSolver, StaysFairWhileFlowsComeAndGo) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    exercise(seed, false, std::numeric_limits<double>::infinity());
  }
}

TEST(MaxMinSolver, StaysFairWhenRoutesAreSpread) {
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    exercise(seed, true, std::numeric_limits<double>::infinity());
  }
}

TEST(MaxMinSolver, StaysFairUnderARateCap) {
  for (std::uint64_t seed = 200; seed < 220; ++seed) {
    exercise(seed, false, 0.1);
  }
}

TEST(MaxMinSolver, TiesDoNotMakeItWander) {
  // Sixteen sources times sixteen sinks, all alike: every level ties with every other.
  testing::RouteFlows builder(std::vector<double>(32, 3.0));
  for (std::uint32_t source = 0; source < 16; ++source) {
    for (std::uint32_t sink = 16; sink < 32; ++sink) {
      builder.add(std::vector<ChainLink>{{source, 1.0}, {sink, 1.0}});
    }
  }
  const FlowGraph graph = std::move(builder).take();
  MaxMinSolver solver(graph, {});
  for (std::uint32_t flow = 0; flow < 256; ++flow) {
    solver.add(flow, 1);
  }
  solver.settle();
  for (std::uint32_t flow = 0; flow < 256; ++flow) {
    EXPECT_DOUBLE_EQ(solver.rate(flow), 3.0 / 16);
  }
  for (std::uint32_t flow = 0; flow < 255; ++flow) {
    solver.remove(flow);
    solver.settle();
  }
  EXPECT_DOUBLE_EQ(solver.rate(255), 3.0);
  EXPECT_LT(solver.effort().moves, 256U * 40);
}

TEST(MaxMinSolver, AnEventMovesFewLinks) {
  RandomStream random(7, {2});
  const FlowGraph graph = random_graph(random, 40, 2000, false);
  MaxMinSolver solver(graph, {});
  for (std::uint32_t flow = 0; flow < 2000; ++flow) {
    solver.add(flow, 1);
  }
  solver.settle();
  const std::uint64_t first = solver.effort().moves;
  for (std::uint32_t flow = 0; flow < 1900; ++flow) {
    solver.remove(flow);
    solver.settle();
  }
  // The claim that the whole method rests on: a handful of moves per event, not one per link.
  EXPECT_LT(static_cast<double>(solver.effort().moves - first) / 1900, 6.0);
}

TEST(MaxMinSolver, LooksAtLinksWithRoomOnceOnly) {
  // Sixty-four fast links into one slow one, which alone is ever full.
  std::vector<double> capacity(65, 10.0);
  capacity[64] = 1;
  testing::RouteFlows builder(capacity);
  for (std::uint32_t source = 0; source < 64; ++source) {
    builder.add(std::vector<ChainLink>{{source, 1.0}, {64, 1.0}});
  }
  const FlowGraph graph = std::move(builder).take();
  MaxMinSolver solver(graph, {});
  for (std::uint32_t flow = 0; flow < 64; ++flow) {
    solver.add(flow, 1);
  }
  solver.settle();
  const std::uint64_t first = solver.effort().levels;
  for (std::uint32_t flow = 0; flow < 63; ++flow) {
    solver.remove(flow);
    solver.settle();
  }
  EXPECT_DOUBLE_EQ(solver.rate(63), 1.0);
  EXPECT_LE(solver.effort().levels - first, 63U);
}

TEST(MaxMinSolver, ALinkThatFillsUpAfterAllIsSeen) {
  // Two flows share a slow link until one of them ends: the other then meets a link that had room.
  testing::RouteFlows builder({4.0, 3.0, 9.0});
  builder.add(std::vector<ChainLink>{{1, 1.0}, {0, 1.0}});
  builder.add(std::vector<ChainLink>{{2, 1.0}, {0, 1.0}});
  const FlowGraph graph = std::move(builder).take();
  MaxMinSolver solver(graph, {});
  solver.add(0, 1);
  solver.add(1, 1);
  solver.settle();
  EXPECT_DOUBLE_EQ(solver.rate(0), 2.0);
  solver.remove(1);
  solver.settle();
  EXPECT_DOUBLE_EQ(solver.rate(0), 3.0);
}

TEST(FlowGraph, SplitsWhatSharesNoLink) {
  testing::RouteFlows builder({1, 2, 3, 4, 5});
  builder.add(std::vector<ChainLink>{{0, 1.0}, {1, 1.0}});
  builder.add(std::vector<ChainLink>{{3, 1.0}, {4, 1.0}});
  builder.add(std::vector<ChainLink>{{1, 1.0}, {2, 1.0}});
  const FlowGraph graph = std::move(builder).take();
  EXPECT_FALSE(is_connected(graph));
  const std::vector<Component> parts = split_components(graph);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].flows, (std::vector<std::uint32_t>{0, 2}));
  EXPECT_EQ(parts[1].flows, (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(parts[0].links, (std::vector<std::uint32_t>{0, 1, 2}));
  EXPECT_EQ(parts[1].graph.capacity, (std::vector<double>{4, 5}));
  EXPECT_TRUE(is_connected(parts[0].graph));
}

}  // namespace
}  // namespace switchyard
