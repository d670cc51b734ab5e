// The start-up that overlaps with moving bytes: the same closed form in every network.
#include <cmath>

#include <gtest/gtest.h>

#include "sim/network/network.hpp"
#include "tests/support/expect_error.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard::testing {
namespace {

class StartUp : public ::testing::TestWithParam<std::string> {
 protected:
  StartUp() : fabric_(load_topology("dgx_h100_8")) {
    schedule_.rank_count = 8;
    schedule_.add(0, 1, 45'000'000);  // 100 us at 450 GB/s
    schedule_.add(2, 1, 9'000'000);
  }

  [[nodiscard]] Timeline simulate(const NetworkOptions& options) const {
    Parameters none = Parameters::describing();
    return Registry<Network>::instance()
        .create(GetParam(), "network", none)
        ->simulate(fabric_, schedule_, options);
  }

  Fabric fabric_;
  Schedule schedule_;
};

TEST_P(StartUp, AddsUpWithoutOverlap) {
  const Timeline plain = simulate({});
  const Timeline delayed = simulate({.start_up = Seconds{30e-6}});
  const Timeline launched = simulate({.launch_overhead = Seconds{30e-6}});
  EXPECT_NEAR(delayed.makespan_s, plain.makespan_s + 30e-6, 1e-12);
  EXPECT_NEAR(delayed.makespan_s, launched.makespan_s, 1e-12);
  EXPECT_NEAR(delayed.lower_bound_s, launched.lower_bound_s, 1e-12);
}

TEST_P(StartUp, IsASmoothMaximumWithOverlap) {
  const double transfer = simulate({}).makespan_s;
  const Timeline overlapped = simulate({.start_up = Seconds{30e-6}, .start_up_overlap = 2});
  EXPECT_NEAR(overlapped.makespan_s, std::hypot(30e-6, transfer), 1e-12);
  EXPECT_LE(overlapped.lower_bound_s, overlapped.makespan_s);
  for (std::size_t i = 0; i < overlapped.finish_s.size(); ++i) {
    EXPECT_GE(overlapped.finish_s[i], overlapped.start_s[i]);
    EXPECT_LE(overlapped.finish_s[i], overlapped.makespan_s);
  }
}

TEST_P(StartUp, CountsFromTheFirstEntry) {
  NetworkOptions options{.start_up = Seconds{30e-6}, .start_up_overlap = 2};
  options.start_offsets.assign(8, Seconds{50e-6});
  EXPECT_NEAR(simulate(options).makespan_s,
              50e-6 + simulate({.start_up = Seconds{30e-6}, .start_up_overlap = 2}).makespan_s,
              1e-12);
}

TEST_P(StartUp, RefusesAnOverlapBelowOne) {
  expect_error<InvalidInput>(
      [&] { static_cast<void>(simulate({.start_up = Seconds{1e-6}, .start_up_overlap = 0.5})); },
      "must be 1 or more");
}

INSTANTIATE_TEST_SUITE_P(Networks,
                         StartUp,
                         ::testing::Values("fluid", "bound", "simgrid"),
                         [](const auto& network) { return network.param; });

}  // namespace
}  // namespace switchyard::testing
