// Random problems for RapidCheck, always the same ones, and how far two networks are apart on them.
#pragma once

#include <algorithm>
#include <cmath>
#include <ostream>
#include <sstream>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/support/networks/random_problems.hpp"
#include "tests/support/networks/run_network.hpp"

namespace switchyard::testing {

/// For RapidCheck's report.
inline void showValue(const RandomProblem& problem, std::ostream& out) {
  out << "{.fabric = " << problem.fabric << ", .ranks = " << problem.ranks
      << ", .skew = " << problem.skew << ", .one_in = " << problem.one_in
      << ", .seed = " << problem.seed << "}";
}

inline rc::Gen<RandomProblem> problems(int least_ranks, int most_ranks) {
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

/// Largest relative difference of finish times between fluid and simgrid.
inline double worst_difference(const Fabric& fabric,
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

}  // namespace switchyard::testing
