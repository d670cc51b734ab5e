#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/networks/fabrics.hpp"
#include "tests/support/networks/run_network.hpp"

namespace switchyard {
namespace {

using testing::run_network;
using testing::schedule_of;

TEST(SimgridNetwork, RefusesSharesThatDifferOnOneLink) {
  // Ranks 0 and 1 reach rank 2 over one or two ways, so "b->c" carries halves and wholes.
  Fabric::Parts parts{.name = "uneven spread", .path_policy = PathPolicy::Spread};
  for (const char* gpu : {"gpu0", "gpu1", "gpu2"}) {
    parts.devices.push_back({.name = gpu, .kind = DeviceKind::Gpu, .node = NodeId(0)});
  }
  for (const char* name : {"a", "b", "b2", "c"}) {
    parts.devices.push_back({.name = name, .kind = DeviceKind::Switch});
  }
  const auto cable = [&](std::int32_t x, std::int32_t y) {
    for (const auto& [from, to] : {std::pair(x, y), std::pair(y, x)}) {
      parts.links.push_back({.name = std::to_string(from) + "->" + std::to_string(to),
                             .from = DeviceId(from),
                             .to = DeviceId(to),
                             .bandwidth = {1e9}});
    }
  };
  cable(0, 3);
  cable(3, 4);
  cable(3, 5);
  cable(4, 6);
  cable(5, 6);
  cable(1, 4);
  cable(6, 2);
  const Fabric fabric(std::move(parts));
  testing::expect_error<MissingCapability>(
      [&] {
        (void)run_network("simgrid", fabric, schedule_of(3, {{0, 2, 1000}, {1, 2, 1000}}));
      },
      "SimGrid cannot spread transfers by different shares");
  // Alone, each is exact.
  EXPECT_NEAR(
      run_network("simgrid", fabric, schedule_of(3, {{0, 2, 1000}})).makespan_s, 1e-6, 1e-15);
}

}  // namespace
}  // namespace switchyard
