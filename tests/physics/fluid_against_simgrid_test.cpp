// Do two engines that share no code agree, transfer by transfer?
// All at once: 1e-9 relative (SimGrid is run at 1e-12). Where a finish decides the next start,
// rounding grows from step to step, so long chains are compared by makespan only.
#include <algorithm>
#include <ostream>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/support/random_problems.hpp"
#include "tests/support/run_network.hpp"

namespace switchyard::testing {

/// For RapidCheck's report.
static void showValue(const RandomProblem& problem, std::ostream& out) {
  out << "{.fabric = " << problem.fabric << ", .ranks = " << problem.ranks
      << ", .skew = " << problem.skew << ", .one_in = " << problem.one_in
      << ", .seed = " << problem.seed << "}";
}

}  // namespace switchyard::testing

namespace switchyard {
namespace {

using testing::RandomProblem;
using testing::run_network;

rc::Gen<RandomProblem> problems(int least_ranks, int most_ranks) {
  return rc::gen::build<RandomProblem>(
      rc::gen::set(&RandomProblem::fabric, rc::gen::inRange(0, 5)),
      rc::gen::set(&RandomProblem::ranks, rc::gen::inRange(least_ranks, most_ranks + 1)),
      rc::gen::set(&RandomProblem::skew, rc::gen::inRange(0, 5)),
      rc::gen::set(&RandomProblem::one_in, rc::gen::inRange(1, 5)),
      rc::gen::set(&RandomProblem::seed, rc::gen::inRange<std::uint64_t>(0, 1000000)));
}

/// Runs `property` on `cases` problems; always the same ones, so that a failure can be repeated.
template <class Property>
void check_cases(int cases, const Property& property) {
  rc::detail::TestParams params;
  params.seed = 20240101;
  params.maxSuccess = cases;
  const rc::detail::TestResult result =
      rc::detail::checkTestable(property, rc::detail::TestMetadata{}, params);
  std::ostringstream report;
  rc::detail::printResultMessage(result, report);
  EXPECT_TRUE(result.template is<rc::detail::SuccessResult>()) << report.str();
}

/// Largest relative difference of finish times between the two.
double worst_difference(const Fabric& fabric,
                        const Schedule& schedule,
                        const NetworkOptions& options) {
  const Timeline ours = run_network("fluid", fabric, schedule, options);
  const Timeline theirs = run_network("simgrid", fabric, schedule, options);
  double worst = 0;
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    worst = std::max(worst, std::abs(ours.finish_s[i] / theirs.finish_s[i] - 1));
  }
  return worst;
}

TEST(FluidAgainstSimgrid, AgreesOnEveryTransferSentAtOnce) {
  check_cases(200, [] {
    const RandomProblem problem = *problems(4, 20);
    RC_ASSERT(worst_difference(
                  testing::random_fabric(problem), testing::random_exchange(problem), {}) < 1e-9);
  });
}

TEST(FluidAgainstSimgrid, AgreesOnLargerExchanges) {
  check_cases(6, [] {
    const RandomProblem problem = *problems(40, 64);
    RC_ASSERT(worst_difference(
                  testing::random_fabric(problem), testing::random_exchange(problem), {}) < 1e-9);
  });
}

TEST(FluidAgainstSimgrid, AgreesWithEachTermAlone) {
  const std::vector<NetworkOptions> terms = {
      {.launch_overhead = Seconds{30e-6}},
      {.message_overhead = Seconds{7e-6}},
      {.message_gap = Seconds{11e-6}},
      {.flow_rate_cap = {0.13e9}},
      {.incast = {{.flows = 2, .efficiency = 0.9}, {.flows = 5, .efficiency = 0.6}}},
  };
  check_cases(50, [&] {
    const RandomProblem problem = *problems(4, 10);
    const auto term = *rc::gen::elementOf(terms);
    RC_ASSERT(worst_difference(
                  testing::random_fabric(problem), testing::random_exchange(problem), term) < 1e-8);
  });
}

TEST(FluidAgainstSimgrid, AgreesWithRanksThatStartLate) {
  check_cases(40, [] {
    const RandomProblem problem = *problems(4, 12);
    NetworkOptions options;
    for (int rank = 0; rank < problem.ranks; ++rank) {
      options.start_offsets.emplace_back(1e-6 * *rc::gen::inRange(0, 500));
    }
    RC_ASSERT(worst_difference(testing::random_fabric(problem),
                               testing::random_exchange(problem),
                               options) < 1e-8);
  });
}

TEST(FluidAgainstSimgrid, AgreesOnWindowsAndDependenciesAndAllTermsTogether) {
  check_cases(60, [] {
    const RandomProblem problem = *problems(4, 10);
    const Fabric fabric = testing::random_fabric(problem);
    const NetworkOptions options{
        .launch_overhead = Seconds{5e-6},
        .message_overhead = Seconds{1e-6 * *rc::gen::inRange(0, 3)},
        .message_gap = Seconds{1e-6 * *rc::gen::inRange(0, 3)},
        .flow_rate_cap = {1e9 * *rc::gen::inRange(0, 2)},
        .outstanding = *rc::gen::inRange(0, 4),
        .incast = {{.flows = 3, .efficiency = 0.8}},
        .link_changes = {{.link = std::string(fabric.links()[0].name), .bandwidth_factor = 0.7}}};
    const Schedule schedule = testing::random_forwarding(problem);
    const double ours = run_network("fluid", fabric, schedule, options).makespan_s;
    const double theirs = run_network("simgrid", fabric, schedule, options).makespan_s;
    RC_ASSERT(std::abs(ours / theirs - 1) < 1e-3);
  });
}

}  // namespace
}  // namespace switchyard
