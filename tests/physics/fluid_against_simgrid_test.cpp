// Do two engines that share no code agree, transfer by transfer?
// All at once: 1e-9 relative (SimGrid is run at 1e-12). Where a finish decides the next start,
// rounding grows from step to step, so long chains are compared by makespan only. The full number
// of cases runs under the label `slow`.
#include "tests/support/networks/compare_networks.hpp"
#include "tests/support/networks/fabrics.hpp"

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
      {.start_spread = {.shape = SpreadShape::Exponential, .scale = Seconds{200e-6}, .seed = 3}},
  };
  check_cases(30, [&] {
    const RandomProblem problem = *problems(4, 10);
    const auto term = *rc::gen::elementOf(terms);
    RC_ASSERT(worst_difference(
                  testing::random_fabric(problem), testing::random_exchange(problem), term) < 1e-9);
  });
}

TEST(FluidAgainstSimgrid, AgreesWithDegradedLinksAndBackgroundTraffic) {
  check_cases(15, [] {
    const RandomProblem problem = *problems(4, 10);
    const Fabric fabric = testing::random_fabric(problem);
    NetworkOptions options;
    for (std::size_t link = 0; link < fabric.links().size(); link += 3) {
      const Link& changed = fabric.links()[link];
      options.link_changes.push_back(
          {.link = changed.name,
           .bandwidth_factor = 0.1 * *rc::gen::inRange(4, 10),
           .background_load = {changed.bandwidth.value * 0.1 * *rc::gen::inRange(0, 4)}});
    }
    RC_ASSERT(worst_difference(fabric, testing::random_exchange(problem), options) < 1e-9);
  });
}

TEST(FluidAgainstSimgrid, AgreesWithLatencies) {
  check_cases(15, [] {
    const RandomProblem problem = *problems(4, 12);
    const auto ranks = static_cast<std::size_t>(problem.ranks);
    const Fabric fabric = testing::nodes({.gpus_per_node = {ranks / 2, ranks - ranks / 2},
                                          .link_latency = Seconds{1e-6 * *rc::gen::inRange(1, 50)},
                                          .is_uneven = true});
    RC_ASSERT(worst_difference(fabric, testing::random_exchange(problem), {}) < 1e-9);
  });
}

TEST(FluidAgainstSimgrid, AgreesOnWindowsOfOutstandingTransfers) {
  check_cases(15, [] {
    const RandomProblem problem = *problems(4, 12);
    const NetworkOptions options{.outstanding = *rc::gen::inRange(1, 5)};
    const Fabric fabric = testing::random_fabric(problem);
    const Schedule schedule = testing::random_exchange(problem);
    const Timeline ours = run_network("fluid", fabric, schedule, options);
    const Timeline theirs = run_network("simgrid", fabric, schedule, options);
    RC_ASSERT(std::abs(ours.makespan_s / theirs.makespan_s - 1) < 1e-3);
    for (std::size_t rank = 0; rank < schedule.rank_count; ++rank) {
      RC_ASSERT(std::abs(ours.rank_finish_s[rank] - theirs.rank_finish_s[rank]) <=
                1e-3 * theirs.makespan_s);
    }
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
                               options) < 1e-9);
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
        .link_changes = {{.link = std::string(fabric.links()[0].name), .bandwidth_factor = 0.7}},
        .start_spread = {.shape = SpreadShape::Uniform, .scale = Seconds{50e-6}}};
    const Schedule schedule = testing::random_forwarding(problem);
    const double ours = run_network("fluid", fabric, schedule, options).makespan_s;
    const double theirs = run_network("simgrid", fabric, schedule, options).makespan_s;
    RC_ASSERT(std::abs(ours / theirs - 1) < 1e-3);
  });
}

}  // namespace
}  // namespace switchyard
