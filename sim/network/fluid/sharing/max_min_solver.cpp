// The walk along the order of links. Flows coming and going: max_min_members.cpp.
#include "sim/network/fluid/sharing/max_min_solver.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/check.hpp"

namespace switchyard {
namespace {

// Levels may be out of order by this much before a link is moved. It has to exceed the rounding of
// one equation; ties (symmetric traffic) would otherwise swap for ever. It is raised tenfold
// whenever a settle needs implausibly many moves.
constexpr double kOrderTolerance = 1e-14;
constexpr double kWorstTolerance = 1e-10;
// A link counts as overloaded beyond this share of its capacity: rounding of a sum of thousands.
constexpr double kOverloadTolerance = 1e-13;
constexpr double kOverloaded = -1;

/// Sum of rate[chain] over `chains`, a multiple of kBatch; so many sums hide the latency of one.
double sum_rates(const double* rate, std::span<const std::uint32_t> chains) {
  constexpr std::size_t kBatch = ChainMembers::kBatch;
  std::array<double, kBatch> sum{};
  for (std::size_t k = 0; k < chains.size(); k += kBatch) {
    for (std::size_t lane = 0; lane < kBatch; ++lane) {
      sum[lane] += rate[chains[k + lane]];
    }
  }
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/// Of the flows of a link, those slower than a level, and the others.
struct Slower {
  double load = 0;  // bytes/s
  double count = 0;
  double others_share = 0;
};

constexpr std::size_t kLanes = 4;

void pad_to_lanes(std::vector<double>& values) {
  values.resize((values.size() + kLanes - 1) / kLanes * kLanes);
}

/// In fixed lanes, as sum_rates(). Padding has no share and counts as slow.
Slower slower_than(double level, std::span<const double> rate, std::span<const double> share) {
  std::array<double, kLanes> load{};
  std::array<double, kLanes> count{};
  std::array<double, kLanes> others_share{};
  for (std::size_t k = 0; k < rate.size(); k += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const bool is_slower = rate[k + lane] < level;
      load[lane] += is_slower ? share[k + lane] * rate[k + lane] : 0.0;
      count[lane] += is_slower ? 1.0 : 0.0;
      others_share[lane] += is_slower ? 0.0 : share[k + lane];
    }
  }
  Slower all;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    all.load += load[lane];
    all.count += count[lane];
    all.others_share += others_share[lane];
  }
  return all;
}

}  // namespace

void MaxMinSolver::settle() {
  if (!is_ordered_) {
    build_order();
  }
  choose_marking();
  bounds_.review();
  ++effort_.settles;
  tolerance_ = kOrderTolerance;
  moves_left_ = 64 + 16 * static_cast<std::uint32_t>(order_.size());
  std::uint32_t position = first_affected_;
  while (position < order_.size()) {
    const std::uint32_t link = order_[position];
    if (is_marking_) {
      if (dirty_count_ == 0) {
        break;  // all that follow are as they were, and in order
      }
      if (is_dirty_[link] == 0) {
        ++position;
        continue;
      }
    }
    const bool is_idle = is_surely_idle(link);
    if (is_idle && is_resting_[link] != 0) {
      unmark(link);
      ++position;
      continue;
    }
    double level = is_idle ? limits_.rate_cap : level_of(link);
    const double below = position > 0 ? level_[order_[position - 1]] : 0;
    if (level < below * (1 - tolerance_)) {
      const double target = level_from_rates(link);
      const std::uint32_t to = place_among(target, position);
      if (to < position) {
        move_earlier(position, to, target);
        position = to;
        continue;
      }
      level = std::max(level, target);  // in place after all, within rounding
    }
    if (position + 1 < order_.size() && level > level_[order_[position + 1]] * (1 + tolerance_)) {
      move_later(position, level);
      continue;
    }
    if (is_idle) {
      rest(link);
    } else {
      grant(link, level);
    }
    ++position;
  }
  first_affected_ = kNone;
}

/// The level at which `link` is exactly full given the levels before it; the rate cap if it cannot
/// be filled, kOverloaded if others already overfill it.
double MaxMinSolver::level_of(std::uint32_t link) {
  ++effort_.levels;
  double left = capacity_[link];
  double held = 0;
  for (const auto& [chain, share] : chains_of(link)) {
    if (members_.size(chain) == 0) {
      continue;
    }
    if (first_link_[chain] != link) {
      left -= share * load_of(chain);
      continue;
    }
    foreign_sum_[chain] = sum_rates(rate_.data(), members_.foreign_peers_in_batches(chain));
    left -= share * foreign_sum_[chain];
    held += share * members_.held_count(chain);
  }
  if (held > 0) {
    return std::min(left / held, limits_.rate_cap);
  }
  return left < -kOverloadTolerance * capacity_[link] ? kOverloaded : limits_.rate_cap;
}

/// The rates of all flows of a chain whose earliest link comes before the link at hand.
double MaxMinSolver::load_of(std::uint32_t chain) const {
  if (is_resting_[first_link_[chain]] != 0) {  // holds none of its flows
    return sum_rates(rate_.data(), members_.foreign_peers_in_batches(chain));
  }
  return load_[chain];
}

/// Runs over all flows of a link at nearly every event, hence without a look at the members.
void MaxMinSolver::mark_links_of_all(std::span<const std::uint32_t> chains) {
  const std::uint32_t* const offsets = graph_.chain_offsets.data();
  const std::uint32_t* const counts = active_count_.data();
  const std::uint32_t* const links = active_link_.data();
  std::uint32_t* const is_dirty = is_dirty_.data();
  std::uint32_t found = 0;
  for (const std::uint32_t chain : chains) {
    const std::uint32_t* const first = links + offsets[chain];
    for (std::uint32_t k = 0; k < counts[chain]; ++k) {
      found += 1 - is_dirty[first[k]];
      is_dirty[first[k]] = 1;
    }
  }
  dirty_count_ += found;
}

/// Makes `level` the rate of all flows first held at `link`.
void MaxMinSolver::grant(std::uint32_t link, double level) {
  const double inverse = 1 / level;
  level_[link] = level;
  is_resting_[link] = 0;
  unmark(link);
  for (const auto& [chain, share] : chains_of(link)) {
    if (first_link_[chain] != link || members_.size(chain) == 0) {
      continue;
    }
    const std::uint32_t held = members_.held_count(chain);
    const double load = held > 0 ? foreign_sum_[chain] + level * held : foreign_sum_[chain];
    if (is_marking_) {
      if (rate_[chain] != level) {
        mark_links_of_all(members_.held_peers(chain));
      }
      if (load_[chain] != load) {
        mark_links_of(chain);
        unmark(link);
      }
    }
    rate_[chain] = level;
    load_[chain] = load;
    if (held > 0) {
      clock_.set_rate(chain, level, inverse);
      bounds_.set_rate(chain, level, members_);
    }
  }
}

/// What grant() comes to for a link that is not full and holds no flow: nobody's rate depends on
/// it, so nothing is summed.
void MaxMinSolver::rest(std::uint32_t link) {
  level_[link] = limits_.rate_cap;
  is_resting_[link] = 1;
  unmark(link);
}

/// The level that `link` would grant if the rates of its flows were only otherwise limited as they
/// are now: the solution of sum(share * min(level, rate)) = capacity. Newton steps from below;
/// each drops the flows that are slower than the level, so it ends after a few.
double MaxMinSolver::level_from_rates(std::uint32_t link) {
  scratch_rate_.clear();
  scratch_share_.clear();
  for (const auto& [chain, share] : chains_of(link)) {
    const double own = first_link_[chain] == link ? limits_.rate_cap : rate_[chain];
    scratch_rate_.insert(scratch_rate_.end(), members_.held_count(chain), own);
    for (const std::uint32_t peer : members_.foreign_peers(chain)) {
      scratch_rate_.push_back(rate_[peer]);
    }
    scratch_share_.insert(scratch_share_.end(), members_.size(chain), share);
  }
  pad_to_lanes(scratch_rate_);
  pad_to_lanes(scratch_share_);
  double level = 0;
  double slower_count = -1;
  for (;;) {
    const Slower found = slower_than(level, scratch_rate_, scratch_share_);
    if (found.others_share == 0) {
      return limits_.rate_cap;
    }
    if (found.count <= slower_count) {  // "<": rounding, on a rate equal to the level
      return level;
    }
    slower_count = found.count;
    level = (capacity_[link] - found.load) / found.others_share;
  }
}

/// First position before `end` whose level exceeds `level`, or `end`.
std::uint32_t MaxMinSolver::place_among(double level, std::uint32_t end) const {
  const auto found = std::upper_bound(
      order_.begin(), order_.begin() + end, level, [&](double wanted, std::uint32_t link) {
        return wanted < level_[link];
      });
  return static_cast<std::uint32_t>(found - order_.begin());
}

/// A link came out slower than the one before it: moves it to where it belongs; the walk resumes
/// there.
void MaxMinSolver::move_earlier(std::uint32_t from, std::uint32_t to, double level) {
  count_move();
  const std::uint32_t link = order_[from];
  for (std::uint32_t k = from; k > to; --k) {
    order_[k] = order_[k - 1];
    position_[order_[k]] = k;
  }
  order_[to] = link;
  position_[link] = to;
  level_[link] = level;
  mark(link);
  for (const auto& [chain, share] : chains_of(link)) {
    const std::uint32_t before = first_link_[chain];
    find_first_link(chain);
    if (first_link_[chain] != link) {
      continue;
    }
    if (before != link) {
      mark_links_of(chain);
    }
    // Handing over swaps the slot out of the foreign part, so walk it by index from the back.
    for (std::size_t k = members_.foreign_slots(chain).size(); k-- > 0;) {
      if (position_of_chain(members_.foreign_peers(chain)[k]) > to) {
        hand_over(members_.foreign_slots(chain)[k]);
      }
    }
  }
}

/// A link came out faster than the next ones: moves it behind them, to be evaluated again there.
void MaxMinSolver::move_later(std::uint32_t from, double level) {
  count_move();
  const std::uint32_t link = order_[from];
  std::uint32_t to = from + 1;
  while (to + 1 < order_.size() && level_[order_[to + 1]] < level) {
    ++to;
  }
  for (std::uint32_t k = from; k < to; ++k) {
    order_[k] = order_[k + 1];
    position_[order_[k]] = k;
  }
  order_[to] = link;
  position_[link] = to;
  level_[link] = level;
  mark(link);
  for (const auto& [chain, share] : chains_of(link)) {
    if (first_link_[chain] != link) {
      continue;
    }
    find_first_link(chain);
    if (first_link_[chain] != link) {
      mark_links_of(chain);
    }
    hand_over_passed(chain);
  }
}

/// The chain's earliest link is later in the order than it was: flows whose other chain now comes
/// first are that chain's to hold.
void MaxMinSolver::hand_over_passed(std::uint32_t chain) {
  const std::uint32_t position = position_of_chain(chain);
  for (std::size_t k = members_.held_slots(chain).size(); k-- > 0;) {
    if (position_of_chain(members_.held_peers(chain)[k]) < position) {
      hand_over(members_.held_slots(chain)[k]);
    }
  }
}

void MaxMinSolver::hand_over(std::uint32_t slot) {
  const std::uint32_t from = members_.holder(slot);
  members_.change_holder(slot);
  const std::uint32_t to = members_.holder(slot);
  clock_.hold(to, slot, clock_.let_go(from, slot));
  bounds_.hand_over(members_.flow_of(slot), from, to);
  count_held(from, -1);
  count_held(to, 1);
  mark_links_of(from);
  mark_links_of(to);
}

void MaxMinSolver::count_move() {
  ++effort_.moves;
  if (moves_left_-- == 0) {
    tolerance_ *= 10;
    SWITCHYARD_CHECK(tolerance_ < kWorstTolerance, "fair shares do not settle");
    moves_left_ = 64 + 16 * static_cast<std::uint32_t>(order_.size());
  }
}

}  // namespace switchyard
