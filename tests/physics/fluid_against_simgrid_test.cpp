// Do two engines that share no code agree, transfer by transfer?
// All at once: 1e-9 relative (SimGrid is run at 1e-12). Where a finish decides the next start,
// rounding grows from step to step, so long chains are compared by makespan only. The full number
// of cases runs under the label `slow`.
#include "tests/support/networks/compare_networks.hpp"

namespace switchyard {
namespace {

using testing::check_cases;
using testing::problems;
using testing::RandomProblem;
using testing::run_network;
using testing::worst_difference;

TEST(FluidAgainstSimgrid, AgreesOnEveryTransferSentAtOnce) {
  check_cases(30, [] {
    const RandomProblem problem = *problems(4, 16);
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
  check_cases(20, [&] {
    const RandomProblem problem = *problems(4, 10);
    const auto term = *rc::gen::elementOf(terms);
    RC_ASSERT(worst_difference(
                  testing::random_fabric(problem), testing::random_exchange(problem), term) < 1e-8);
  });
}

TEST(FluidAgainstSimgrid, AgreesWithRanksThatStartLate) {
  check_cases(15, [] {
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
  check_cases(20, [] {
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
