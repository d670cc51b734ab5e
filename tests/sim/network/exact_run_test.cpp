// Parts that share no link but wait for each other: followed apart, they end as the whole does.
#include "sim/network/fluid/exact_run.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "core/numbers/random.hpp"
#include "tests/support/networks/flow_graphs.hpp"

namespace switchyard {
namespace {

constexpr std::uint32_t kSwitches = 3;  // that share no link
constexpr std::uint32_t kPorts = 4;     // of a switch, in and out
constexpr std::uint32_t kFlows = 240;

FlowGraph crossbars(RandomStream& random) {
  std::vector<double> capacity(std::size_t{2} * kSwitches * kPorts);
  std::ranges::generate(capacity, [&] { return 1 + random.uniform(); });
  testing::RouteFlows routes(std::move(capacity));
  for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
    const auto first = static_cast<std::uint32_t>(2 * kPorts * random.index(kSwitches));
    const auto in = first + static_cast<std::uint32_t>(random.index(kPorts));
    const auto out = first + kPorts + static_cast<std::uint32_t>(random.index(kPorts));
    routes.add({{in, 1.0}, {out, 1.0}});
  }
  return std::move(routes).take();
}

/// Starts every flow when the one that it waits for has finished, on whatever switch that is; the
/// first ones at zero.
class Waiting final : public FlowSource {
 public:
  explicit Waiting(std::uint64_t seed) : followers_(kFlows) {
    RandomStream random(seed, {1});
    for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
      if (flow < 20) {
        ready_.push_back(flow);
      } else {
        followers_[random.index(flow)].push_back(flow);
      }
    }
  }

  [[nodiscard]] double next_time() const override {
    return ready_.empty() ? std::numeric_limits<double>::infinity() : now_;
  }

  void release(std::vector<std::uint32_t>& flows) override {
    flows.insert(flows.end(), ready_.begin(), ready_.end());
    ready_.clear();
  }

  void finished(std::uint32_t flow, double now) override {
    now_ = now;
    ready_.insert(ready_.end(), followers_[flow].begin(), followers_[flow].end());
  }

 private:
  double now_ = 0;
  std::vector<std::uint32_t> ready_;
  std::vector<std::vector<std::uint32_t>> followers_;  // [flows]
};

TEST(ExactRun, FollowsPartsAsItWouldTheWhole) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    RandomStream random(seed, {0});
    const FlowGraph graph = crossbars(random);
    std::vector<double> bytes(kFlows);
    std::ranges::generate(bytes, [&] { return 0.1 + random.uniform(); });
    Waiting source(seed);
    const FlowTimes whole = run_exact(graph, {}, bytes, source);
    const std::vector<Component> parts = split_components(graph);
    ASSERT_EQ(parts.size(), kSwitches);
    Waiting same(seed);
    const FlowTimes apart = run_exact(parts, {}, bytes, same);
    for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
      ASSERT_NEAR(apart.start_s[flow], whole.start_s[flow], 1e-11 * whole.start_s[flow]);
      ASSERT_NEAR(apart.finish_s[flow], whole.finish_s[flow], 1e-11 * whole.finish_s[flow])
          << "seed " << seed << ", flow " << flow;
    }
  }
}

}  // namespace
}  // namespace switchyard
