#include "sim/needed_factor.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sim/capacity_slots.hpp"

namespace switchyard {
namespace {

constexpr int kBisections = 40;

}  // namespace

void NeededFactor::add_group(std::int64_t tokens, std::vector<std::int64_t> counts) {
  std::sort(counts.begin(), counts.end());
  Sorted& group = groups_.emplace_back();
  group.tokens = static_cast<double>(tokens);
  group.sums.push_back(0);
  for (const std::int64_t count : counts) {
    group.sums.push_back(group.sums.back() + count);
  }
  pairs_ += group.sums.back();
  if (tokens > 0) {
    largest_ = std::max(largest_,
                        static_cast<double>(counts.back()) * static_cast<double>(experts_) /
                            (top_k_ * group.tokens));
  }
  group.counts = std::move(counts);
}

double NeededFactor::for_share(double goal) const {
  const auto wanted =
      static_cast<std::int64_t>(std::ceil(goal * static_cast<double>(pairs_) * (1 - 1e-12)));
  double enough = largest_;
  double little = 0;
  for (int i = 0; i < kBisections && enough > 0; ++i) {
    const double middle = (little + enough) / 2;
    (kept(middle) >= wanted ? enough : little) = middle;
  }
  return enough;
}

std::int64_t NeededFactor::kept(double factor) const {
  std::int64_t sum = 0;
  for (const Sorted& group : groups_) {
    const std::int64_t slots = std::max(
        minimum_, whole_slots(factor * top_k_ * group.tokens / static_cast<double>(experts_)));
    const auto full = std::lower_bound(group.counts.begin(), group.counts.end(), slots);
    const auto under = static_cast<std::size_t>(full - group.counts.begin());
    sum += group.sums[under] + slots * static_cast<std::int64_t>(group.counts.size() - under);
  }
  return sum;
}

}  // namespace switchyard
