// The full comparison of fluid with SimGrid: 200 exchanges sent at once, then larger ones.
#include "tests/support/networks/compare_networks.hpp"

namespace switchyard {
namespace {

using testing::check_cases;
using testing::problems;
using testing::RandomProblem;
using testing::worst_difference;

TEST(FluidAgainstSimgridAtLength, AgreesOnEveryTransferSentAtOnce) {
  check_cases(200, [] {
    const RandomProblem problem = *problems(4, 20);
    RC_ASSERT(worst_difference(
                  testing::random_fabric(problem), testing::random_exchange(problem), {}) < 1e-9);
  });
}

TEST(FluidAgainstSimgridAtLength, AgreesOnLargerExchanges) {
  check_cases(6, [] {
    const RandomProblem problem = *problems(40, 64);
    RC_ASSERT(worst_difference(
                  testing::random_fabric(problem), testing::random_exchange(problem), {}) < 1e-9);
  });
}

}  // namespace
}  // namespace switchyard
