// The bounds never promise room that is not there, and give up where they do not pay.
#include "sim/network/fluid/sharing/load_bounds.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "core/numbers/random.hpp"
#include "tests/support/networks/flow_graphs.hpp"

namespace switchyard {
namespace {

/// Eight sources to eight sinks, every pair a flow, each end a link of its own.
FlowGraph eight_by_eight() {
  testing::RouteFlows builder(std::vector<double>(16, 1.0));
  for (std::uint32_t source = 0; source < 8; ++source) {
    for (std::uint32_t sink = 8; sink < 16; ++sink) {
      builder.add(std::vector<ChainLink>{{source, 1.0}, {sink, 1.0}});
    }
  }
  return std::move(builder).take();
}

class TrackedFlows {
 public:
  explicit TrackedFlows(const FlowGraph& graph)
      : graph_(graph), members_(graph), bounds_(graph), rate_(graph.chain_count(), 0) {
    for (std::uint32_t flow = 0; flow < graph.flow_count(); ++flow) {
      slots_.push_back(members_.insert(flow, kSourceSide));
      bounds_.add(flow, members_.holder(slots_.back()));
    }
  }

  void set_rate(std::uint32_t chain, double rate) {
    rate_[chain] = rate;
    bounds_.set_rate(chain, rate, members_);
  }

  void hand_over(std::uint32_t flow) {
    const std::uint32_t from = members_.holder(slots_[flow]);
    members_.change_holder(slots_[flow]);
    bounds_.hand_over(flow, from, members_.holder(slots_[flow]));
  }

  /// What the flows of a link come to at the rates of the chains that hold them.
  [[nodiscard]] double load(std::uint32_t link) const {
    double sum = 0;
    for (std::uint32_t flow = 0; flow < graph_.flow_count(); ++flow) {
      for (const std::size_t side : {0U, 1U}) {
        for (const ChainLink& hop : graph_.links_of(graph_.flow_chains[side][flow])) {
          sum += hop.link == link ? hop.share * rate_[members_.holder(slots_[flow])] : 0;
        }
      }
    }
    return sum;
  }

  LoadBounds& bounds() { return bounds_; }

 private:
  const FlowGraph& graph_;
  ChainMembers members_;
  LoadBounds bounds_;
  std::vector<std::uint32_t> slots_;
  std::vector<double> rate_;  // [chains]
};

TEST(LoadBounds, NeverPromiseRoomThatIsNotThere) {
  const FlowGraph graph = eight_by_eight();
  TrackedFlows flows(graph);
  RandomStream random(3, {1});
  for (std::uint32_t chain = 0; chain < graph.chain_count(); ++chain) {
    flows.set_rate(chain, 0.1);
  }
  int promised = 0;
  for (int event = 0; event < 5000; ++event) {
    const auto chain = static_cast<std::uint32_t>(random.bits() % graph.chain_count());
    flows.set_rate(chain, 0.1 * (0.5 + random.uniform()));
    flows.hand_over(static_cast<std::uint32_t>(random.bits() % graph.flow_count()));
    const auto link = static_cast<std::uint32_t>(random.bits() % graph.link_count());
    if (flows.bounds().has_room(link, 0.9)) {
      ++promised;
      ASSERT_LE(flows.load(link), 0.9);
    } else {
      ASSERT_GT(flows.load(link), 0.75) << "seven eighths of it: no reason to be unsure";
    }
  }
  EXPECT_GT(promised, 1000);
}

TEST(LoadBounds, GiveUpWhereFlowsAreHandedOverForNothing) {
  const FlowGraph graph = eight_by_eight();
  TrackedFlows flows(graph);
  for (std::uint32_t chain = 0; chain < graph.chain_count(); ++chain) {
    flows.set_rate(chain, 0.01 * (chain + 1));
  }
  ASSERT_TRUE(flows.bounds().has_room(0, 100));
  for (std::uint32_t event = 0; event < 200; ++event) {
    flows.hand_over(event % 64);
    flows.bounds().review();
  }
  EXPECT_FALSE(flows.bounds().has_room(0, 100));
}

}  // namespace
}  // namespace switchyard
