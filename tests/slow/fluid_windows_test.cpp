// How far off are windows of the default size? Makespan and per-rank finish against the exact run,
// three fabrics x three skews x 64 to 512 ranks; the limits asserted here are the documented ones.
#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/numbers/random.hpp"
#include "tests/support/networks/fabrics.hpp"
#include "tests/support/networks/run_network.hpp"

namespace switchyard {
namespace {

constexpr double kMakespanError = 0.005;
constexpr double kRankErrorP99 = 0.01;

struct WindowCase {
  int fabric;  // 0 one switch, 1 nodes with a NIC per GPU, 2 the same with unequal NICs
  double sigma;
  std::size_t ranks;
};

std::ostream& operator<<(std::ostream& out, const WindowCase& window_case) {
  return out << "fabric " << window_case.fabric << ", sigma " << window_case.sigma << ", "
             << window_case.ranks << " ranks";
}

Fabric fabric_of(const WindowCase& window_case) {
  if (window_case.fabric == 0) {
    return testing::star({.ranks = window_case.ranks, .rate = {400e9}});
  }
  return testing::nodes({.gpus_per_node = std::vector<std::size_t>(window_case.ranks / 8, 8),
                         .is_uneven = window_case.fabric == 2});
}

Schedule traffic_of(const WindowCase& window_case) {
  RandomStream random(5, {window_case.ranks});
  std::vector<double> popularity(window_case.ranks);
  for (double& value : popularity) {
    value = std::exp(window_case.sigma * random.normal());
  }
  Schedule schedule{.rank_count = window_case.ranks};
  for (std::size_t source = 0; source < window_case.ranks; ++source) {
    for (std::size_t step = 1; step < window_case.ranks; ++step) {
      const std::size_t destination = (source + step) % window_case.ranks;
      schedule.add(source,
                   destination,
                   1 + static_cast<std::int64_t>(262144 * popularity[destination] *
                                                 std::exp(window_case.sigma * random.normal())));
    }
  }
  return schedule;
}

/// [values] |a / b - 1|, ascending.
std::vector<double> errors(const std::vector<double>& approximate,
                           const std::vector<double>& exact) {
  std::vector<double> all;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    all.push_back(std::abs(approximate[i] / exact[i] - 1));
  }
  std::ranges::sort(all);
  return all;
}

double p99(const std::vector<double>& ascending) {
  return ascending[ascending.size() * 99 / 100];
}

class FluidWindows : public ::testing::TestWithParam<WindowCase> {};

TEST_P(FluidWindows, StayWithinTheDocumentedError) {
  const Fabric fabric = fabric_of(GetParam());
  const Schedule schedule = traffic_of(GetParam());
  const Timeline exact =
      testing::run_network("fluid",
                           fabric,
                           schedule,
                           {.exact_transfer_limit = std::numeric_limits<std::int64_t>::max()});
  const Timeline windowed =
      testing::run_network("fluid", fabric, schedule, {.exact_transfer_limit = 0});
  const double makespan = std::abs(windowed.makespan_s / exact.makespan_s - 1);
  const std::vector<double> ranks = errors(windowed.rank_finish_s, exact.rank_finish_s);
  const std::vector<double> transfers = errors(windowed.finish_s, exact.finish_s);
  fmt::print("fabric {} sigma {} ranks {}: makespan {:.1e}, rank p99 {:.1e}, transfer p99 {:.1e}\n",
             GetParam().fabric,
             GetParam().sigma,
             GetParam().ranks,
             makespan,
             p99(ranks),
             p99(transfers));
  EXPECT_LE(makespan, kMakespanError);
  EXPECT_LE(p99(ranks), kRankErrorP99);
}

std::vector<WindowCase> all_cases() {
  std::vector<WindowCase> cases;
  for (const std::size_t ranks : {64U, 128U, 256U, 512U}) {
    for (const int fabric : {0, 1, 2}) {
      for (const double sigma : {0.3, 0.7, 1.2}) {
        cases.push_back({fabric, sigma, ranks});
      }
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(AllCases,
                         FluidWindows,
                         ::testing::ValuesIn(all_cases()),
                         [](const auto& param) {
                           return fmt::format("fabric{}sigma{}ranks{}",
                                              param.param.fabric,
                                              static_cast<int>(param.param.sigma * 10),
                                              param.param.ranks);
                         });

}  // namespace
}  // namespace switchyard
