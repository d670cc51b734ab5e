#include "profiler/clocks/clock_fit.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace switchyard {
namespace {

constexpr std::size_t kFewestForDrift = 8;
constexpr double kDriftMustHelp = 0.8;          // of the median residual without drift
constexpr std::size_t kBesideJump = 3;          // collectives on either side that agree
constexpr double kSmallestJump_ns = 100'000;    // below that, ranks simply finish apart
constexpr double kJumpOverScatter = 10;         // of neighbouring residuals
constexpr int kRounds = 8;                      // each leaves less than a third of the error
constexpr double kFastestDrift = 500e-6;        // no quartz is that far off
constexpr double kLargestUsefulResidual = 0.1;  // of the median duration of the collectives

double median(std::vector<double> values) {
  const std::size_t middle = values.size() / 2;
  std::nth_element(
      values.begin(), values.begin() + static_cast<std::ptrdiff_t>(middle), values.end());
  return values[middle];
}

double median_size(std::vector<double> values) {
  for (double& value : values) {
    value = std::abs(value);
  }
  return median(std::move(values));
}

std::vector<double> residuals_of(const std::vector<CollectivePair>& pairs,
                                 const ProcessClock& clock) {
  std::vector<double> residuals;
  residuals.reserve(pairs.size());
  for (const CollectivePair& pair : pairs) {
    residuals.push_back(
        static_cast<double>(pair.reference_end_ns - clock.corrected(pair.own_end_ns)));
  }
  return residuals;
}

double span_median(const std::vector<double>& values, std::size_t first, std::size_t count) {
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
  return median({begin, begin + static_cast<std::ptrdiff_t>(count)});
}

double height_at(const std::vector<double>& residuals, std::size_t after) {
  return span_median(residuals, after, kBesideJump) -
         span_median(residuals, after - kBesideJump, kBesideJump);
}

/// A step of the residuals between the pairs `after` - 1 and `after`.
struct Step {
  std::size_t after = 0;
  double height_ns = 0;  // between the medians of three on either side
};

/// Steps that are jumps of a clock, in the order of time. `residuals` are those of a clock without
/// drift.
std::vector<Step> find_steps(const std::vector<CollectivePair>& pairs,
                             const std::vector<double>& residuals) {
  std::vector<Step> steps;
  if (pairs.size() < kFewestForDrift) {
    return steps;
  }
  std::vector<double> changes;
  for (std::size_t i = 1; i < residuals.size(); ++i) {
    changes.push_back(residuals[i] - residuals[i - 1]);
  }
  const double scatter = median_size(changes);
  for (std::size_t i = kBesideJump; i + kBesideJump <= residuals.size(); ++i) {
    const double height = height_at(residuals, i);
    const auto pause =
        static_cast<double>(pairs[i].reference_end_ns - pairs[i - 1].reference_end_ns);
    const double needed = std::max(
        {kSmallestJump_ns, kJumpOverScatter * scatter, kFastestDrift * std::max(0.0, pause)});
    // The medians step beside a jump, too: only the jump itself is most of it.
    if (std::abs(height) <= needed || std::abs(changes[i - 1]) <= std::abs(height) / 2) {
      continue;
    }
    const bool is_near = !steps.empty() && i - steps.back().after < kBesideJump;
    if (!is_near) {
      steps.push_back({i, height});
    } else if (std::abs(changes[i - 1]) > std::abs(changes[steps.back().after - 1])) {
      steps.back() = {i, height};
    }
  }
  return steps;
}

/// The step as a jump of this clock; its boundary lies before its window if it cannot be mended.
ClockJump jump_of(const Step& step, const std::vector<CollectivePair>& pairs) {
  ClockJump jump{.by_ns = -std::llround(step.height_ns),
                 .last_before_ns = pairs[step.after - 1].own_end_ns,
                 .first_after_ns = pairs[step.after].own_end_ns};
  std::int64_t first_start = pairs[step.after].own_start_ns;
  for (std::size_t i = 0; i < step.after; ++i) {
    jump.last_before_ns = std::max(jump.last_before_ns, pairs[i].own_end_ns);
  }
  for (std::size_t i = step.after; i < pairs.size(); ++i) {
    jump.first_after_ns = std::min(jump.first_after_ns, pairs[i].own_end_ns);
    first_start = std::min(first_start, pairs[i].own_start_ns);
  }
  // Just before the first collective after it begins, where nothing else is known.
  jump.boundary_ns = first_start > jump.last_before_ns ? first_start - 1 : jump.last_before_ns;
  return jump;
}

void set_offset(const std::vector<CollectivePair>& pairs, ProcessClock& clock) {
  clock.offset_ns += std::llround(median(residuals_of(pairs, clock)));
}

void mend_jumps(const std::vector<CollectivePair>& pairs,
                const std::vector<Step>& steps,
                ProcessClock& clock) {
  for (const Step& step : steps) {
    const ClockJump jump = jump_of(step, pairs);
    if (jump.first_after_ns <= jump.last_before_ns) {
      clock.jumps.clear();
      clock.lost_jump_ns = jump.by_ns;
      clock.lost_jump_after_ns = pairs[step.after - 1].own_end_ns;
      return;
    }
    clock.jumps.push_back(jump);
  }
}

// What drift is left, as the median of slopes between each point and the one half the series later:
// robust against stragglers, and quick.
double fitted_drift(const std::vector<CollectivePair>& pairs, const ProcessClock& clock) {
  const std::size_t half = pairs.size() / 2;
  std::vector<double> slopes;
  for (std::size_t i = 0; i + half < pairs.size(); ++i) {
    const CollectivePair& early = pairs[i];
    const CollectivePair& late = pairs[i + half];
    const std::int64_t distance =
        clock.corrected(late.own_end_ns) - clock.corrected(early.own_end_ns);
    if (distance > 0) {
      const std::int64_t gained = (late.reference_end_ns - early.reference_end_ns) - distance;
      slopes.push_back(static_cast<double>(gained) / static_cast<double>(distance));
    }
  }
  return slopes.empty() ? 0 : median(std::move(slopes));
}

void add_drift(const std::vector<CollectivePair>& pairs, ProcessClock& clock) {
  ProcessClock drifting = clock;
  drifting.drift += fitted_drift(pairs, clock);
  set_offset(pairs, drifting);
  if (median_size(residuals_of(pairs, drifting)) <
      kDriftMustHelp * median_size(residuals_of(pairs, clock))) {
    clock = drifting;
  }
}

// A step was measured over six collectives, drift included: each takes its share in turn.
void settle_jumps(const std::vector<CollectivePair>& pairs,
                  const std::vector<Step>& steps,
                  ProcessClock& clock) {
  for (int round = 0; round < kRounds && clock.drift != 0; ++round) {
    const auto residuals = residuals_of(pairs, clock);
    for (std::size_t i = 0; i < clock.jumps.size(); ++i) {
      clock.jumps[i].by_ns -= std::llround(height_at(residuals, steps[i].after));
    }
    add_drift(pairs, clock);
  }
}

}  // namespace

std::int64_t ProcessClock::corrected(std::int64_t time_ns) const {
  std::int64_t time = time_ns;
  for (const ClockJump& jump : jumps) {
    time -= time_ns > jump.boundary_ns ? jump.by_ns : 0;
  }
  return time + offset_ns + std::llround(drift * static_cast<double>(time - origin_ns));
}

ProcessClock fit_clock(std::vector<CollectivePair> pairs) {
  // By the reference's time: the own clock may have been set back.
  std::sort(
      pairs.begin(), pairs.end(), [](const CollectivePair& left, const CollectivePair& right) {
        return left.reference_end_ns < right.reference_end_ns;
      });
  ProcessClock clock;
  clock.is_aligned = true;
  clock.origin_ns = pairs.front().own_end_ns;
  clock.offset_ns = pairs.front().reference_end_ns - pairs.front().own_end_ns;
  clock.matches = std::ssize(pairs);
  const std::vector<Step> steps = find_steps(pairs, residuals_of(pairs, clock));
  mend_jumps(pairs, steps, clock);
  set_offset(pairs, clock);
  if (pairs.size() >= kFewestForDrift && clock.lost_jump_ns == 0) {
    add_drift(pairs, clock);
    settle_jumps(pairs, steps, clock);
  }
  const auto residuals = residuals_of(pairs, clock);
  clock.median_residual_ns = median_size(residuals);
  std::vector<double> durations;
  durations.reserve(pairs.size());
  for (const CollectivePair& pair : pairs) {
    durations.push_back(static_cast<double>(pair.own_end_ns - pair.own_start_ns));
  }
  clock.is_reliable =
      clock.lost_jump_ns == 0 &&
      clock.median_residual_ns <= kLargestUsefulResidual * median(std::move(durations));
  for (const double residual : residuals) {
    clock.largest_residual_ns = std::max(clock.largest_residual_ns, std::abs(residual));
  }
  return clock;
}

}  // namespace switchyard
