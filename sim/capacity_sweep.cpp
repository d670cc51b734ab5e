#include "sim/capacity_sweep.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <numeric>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "sim/needed_factor.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kMostFactors = 250;  // a place among them fits a byte
constexpr double kLargestFactor = 1e6;

// Tokens that share slots: how many, and how many pairs each expert was asked for.
struct Group {
  std::int64_t tokens = 0;
  std::vector<std::int64_t> slots;  // [factors]
};

std::vector<std::int64_t> slots_of(const CapacitySweepOptions& options,
                                   std::int64_t tokens,
                                   std::size_t experts,
                                   std::int64_t top_k) {
  std::vector<std::int64_t> slots;
  for (const double factor : options.factors) {
    const double exact = factor * static_cast<double>(top_k) * static_cast<double>(tokens) /
                         static_cast<double>(experts);
    if (options.minimum == 0 && tokens > 0) {
      refuse_less_than_one(
          exact,
          fmt::format("{} x {} choices x {} tokens / {} experts", factor, top_k, tokens, experts),
          {"--capacity-sweep", ""});
    }
    slots.push_back(std::max(options.minimum, whole_slots(exact)));
  }
  return slots;
}

// One (step, layer) of a trace.
class LayerSweep {
 public:
  LayerSweep(const RoutingTrace& trace,
             const RankAssignment& ranks,
             const CapacitySweepOptions& options,
             const StepLayer& step_layer)
      : trace_(trace), options_(options), step_layer_(step_layer), experts_(trace.expert_count()) {
    group_rows(ranks);
    kept_at_.assign(options.factors.size() + 1, 0);
    mass_at_.assign(options.factors.size() + 1, 0);
    asked_.assign(groups_.size() * experts_, 0);
    place_.assign(groups_.size() * experts_, 0);
    best_.assign(group_of_.size(), static_cast<std::uint8_t>(options.factors.size() + 1));
    for (Group& group : groups_) {
      group.slots =
          slots_of(options, group.tokens, experts_, static_cast<std::int64_t>(trace.top_k()));
    }
  }

  CapacitySweepRow run() {
    const std::size_t top_k = trace_.top_k();
    if (options_.order == SlotQueue::Order::Choice) {
      for (std::size_t choice = 0; choice < top_k; ++choice) {
        ask(choice, choice + 1);
      }
    } else {
      ask(0, top_k);
    }
    for (const std::size_t index : step_layer_.chunks) {
      trace_.release(trace_.chunks()[index]);
    }
    return result();
  }

 private:
  // Numbers the groups and finds every row's.
  void group_rows(const RankAssignment& ranks) {
    std::vector<std::int64_t> rows_of_rank(ranks.rank_count(), 0);
    std::vector<std::vector<std::uint32_t>> groups_of_rank(ranks.rank_count());
    for (std::size_t position = 0; position < step_layer_.chunks.size(); ++position) {
      for (const std::int32_t rank_value : ranks.ranks_of(step_layer_, position)) {
        const auto rank = options_.scope == SlotQueue::Scope::Global
                              ? std::size_t{0}
                              : static_cast<std::size_t>(rank_value);
        const auto size = options_.scope == SlotQueue::Scope::Group
                              ? static_cast<std::int64_t>(options_.group_tokens)
                              : std::numeric_limits<std::int64_t>::max();
        if (rows_of_rank[rank]++ % size == 0) {
          groups_of_rank[rank].push_back(static_cast<std::uint32_t>(groups_.size()));
          groups_.emplace_back();
        }
        group_of_.push_back(groups_of_rank[rank].back());
        ++groups_[group_of_.back()].tokens;
      }
    }
  }

  // Choices [first, last) of every row, in order of token.
  void ask(std::size_t first, std::size_t last) {
    std::size_t row_base = 0;
    for (const std::size_t index : step_layer_.chunks) {
      const Chunk& chunk = trace_.chunks()[index];
      const auto weights = trace_.gate_weights(chunk);
      trace_.expert_ids(chunk).visit([&](auto ids) {
        weights ? ask_rows<true>(ids, &*weights, chunk, row_base, first, last)
                : ask_rows<false>(ids, nullptr, chunk, row_base, first, last);
      });
      row_base += static_cast<std::size_t>(chunk.row_count);
    }
  }

  template <bool kHasWeights, class Id>
  void ask_rows(std::span<const Id> ids,
                const FloatRows* weights,
                const Chunk& chunk,
                std::size_t row_base,
                std::size_t first,
                std::size_t last) {
    constexpr Id kNone = static_cast<Id>(-1);
    const std::size_t top_k = trace_.top_k();
    const std::size_t factors = options_.factors.size();
    for (std::size_t row = 0; row < static_cast<std::size_t>(chunk.row_count); ++row) {
      const std::uint32_t group = group_of_[row_base + row];
      const std::int64_t* slots = groups_[group].slots.data();
      std::uint8_t& best = best_[row_base + row];
      for (std::size_t choice = first; choice < last; ++choice) {
        const Id id = ids[row * top_k + choice];
        if (id == kNone) {
          continue;
        }
        if (std::cmp_less(id, 0) || std::cmp_greater_equal(id, experts_)) {
          throw_expert_out_of_range(trace_, chunk, row, static_cast<std::int64_t>(id));
        }
        const std::size_t state = group * experts_ + static_cast<std::size_t>(id);
        const auto before = static_cast<std::int64_t>(asked_[state]++);
        std::uint8_t place = place_[state];
        while (place < factors && before >= slots[place]) {
          ++place;
        }
        place_[state] = place;
        ++kept_at_[place];
        if constexpr (kHasWeights) {
          mass_at_[place] += static_cast<double>(weights->at(row, choice));
        }
        best = std::min(best, place);
      }
    }
  }

  [[nodiscard]] CapacitySweepRow result() const {
    const std::size_t factors = options_.factors.size();
    CapacitySweepRow row{.step = step_layer_.step, .layer = step_layer_.layer};
    std::vector<std::int64_t> lost_at(factors + 2, 0);
    for (const std::uint8_t place : best_) {
      ++lost_at[place];
    }
    row.tokens = static_cast<std::int64_t>(best_.size()) - lost_at[factors + 1];
    row.pairs = std::accumulate(kept_at_.begin(), kept_at_.end(), std::int64_t{0});
    row.gate_mass = std::accumulate(mass_at_.begin(), mass_at_.end(), 0.0);
    std::int64_t kept = 0;
    std::int64_t with_choice = 0;
    double mass = 0;
    for (std::size_t factor = 0; factor < factors; ++factor) {
      kept += kept_at_[factor];
      with_choice += lost_at[factor];
      mass += mass_at_[factor];
      std::int64_t slots = 0;
      for (const Group& group : groups_) {
        slots += group.slots[factor] * static_cast<std::int64_t>(experts_);
      }
      row.points.push_back({.kept = kept,
                            .slots = slots,
                            .lost_tokens = row.tokens - with_choice,
                            .dropped_gate_mass = row.gate_mass - mass});
    }
    NeededFactor needed(experts_, static_cast<double>(trace_.top_k()), options_.minimum);
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      const auto first = asked_.begin() + static_cast<std::ptrdiff_t>(group * experts_);
      needed.add_group(groups_[group].tokens,
                       {first, first + static_cast<std::ptrdiff_t>(experts_)});
    }
    for (const double goal : options_.kept_goals) {
      row.needed_factor.push_back(needed.for_share(goal));
    }
    return row;
  }

  const RoutingTrace& trace_;
  const CapacitySweepOptions& options_;
  const StepLayer& step_layer_;
  std::size_t experts_;
  std::vector<Group> groups_;
  std::vector<std::uint32_t> group_of_;  // [rows]
  std::vector<std::uint32_t> asked_;     // [groups, experts] pairs so far
  std::vector<std::uint8_t> place_;      // [groups, experts] least factor that keeps the next pair
  std::vector<std::uint8_t> best_;       // [rows] least factor that keeps any choice
  std::vector<std::int64_t> kept_at_;    // [factors + 1] pairs whose least factor it is; last: none
  std::vector<double> mass_at_;          // [factors + 1]
};

// Rows [first, last) of counts: one (step, layer).
CapacitySweepRow sweep_counts(const ExpertLoad& load,
                              std::size_t first,
                              std::size_t last,
                              const CapacitySweepOptions& options) {
  const std::size_t experts = load.counts.columns();
  CapacitySweepRow row{.step = load.rows[first].step, .layer = load.rows[first].layer};
  row.points.resize(options.factors.size());
  NeededFactor needed(experts, static_cast<double>(options.top_k), options.minimum);
  const bool is_global = options.scope == SlotQueue::Scope::Global;
  Matrix<std::int64_t> groups(is_global ? 1 : last - first, experts);
  for (std::size_t i = first; i < last; ++i) {
    const auto sums = groups.row(is_global ? 0 : i - first);
    const auto counts = load.counts.row(i);
    std::transform(sums.begin(), sums.end(), counts.begin(), sums.begin(), std::plus<>());
  }
  for (std::size_t group = 0; group < groups.rows(); ++group) {
    const auto counts = groups.row(group);
    const std::int64_t pairs = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    const std::int64_t tokens = (pairs + options.top_k - 1) / options.top_k;
    row.pairs += pairs;
    row.tokens += tokens;
    const auto slots = slots_of(options, tokens, experts, options.top_k);
    for (std::size_t factor = 0; factor < slots.size(); ++factor) {
      for (const std::int64_t count : counts) {
        row.points[factor].kept += std::min(count, slots[factor]);
      }
      row.points[factor].slots += slots[factor] * static_cast<std::int64_t>(experts);
    }
    needed.add_group(tokens, {counts.begin(), counts.end()});
  }
  for (const double goal : options.kept_goals) {
    row.needed_factor.push_back(needed.for_share(goal));
  }
  return row;
}

void check_options(const RoutingData& routing, const CapacitySweepOptions& options) {
  const Location where{"--capacity-sweep", ""};
  if (options.factors.empty() || options.factors.size() > kMostFactors) {
    throw InvalidInput(
        fmt::format("{} factors: wanted 1 to {}", options.factors.size(), kMostFactors), where);
  }
  for (std::size_t i = 0; i < options.factors.size(); ++i) {
    if (!(options.factors[i] > 0) || !(options.factors[i] <= kLargestFactor) ||
        (i > 0 && options.factors[i] <= options.factors[i - 1])) {
      throw InvalidInput(
          fmt::format("factor {} should be positive, at most {} and above the one before",
                      options.factors[i],
                      kLargestFactor),
          where);
    }
  }
  if (options.order != SlotQueue::Order::Token && options.order != SlotQueue::Order::Choice) {
    throw MissingCapability("one pass can only follow slots given by token or by choice",
                            where,
                            "set capacity.order=token or choice, or simulate one factor at a time");
  }
  const auto* load = std::get_if<ExpertLoad>(&routing);
  if (load != nullptr && options.top_k <= 0) {
    throw InvalidInput("the counts do not say how many experts a token has",
                       load->where,
                       "name the model (--model) or set model.top_k");
  }
  if (load != nullptr && options.scope == SlotQueue::Scope::Group) {
    require_fidelity(load->fidelity(), Fidelity::Ids, "capacity by groups of tokens");
  }
}

// Runs `make(i)` for every i below `count` on several threads; the first error by order wins.
template <class Make>
std::vector<CapacitySweepRow> rows_in_parallel(std::size_t count,
                                               unsigned threads,
                                               const Progress& progress,
                                               const Make& make) {
  std::vector<CapacitySweepRow> rows(count);
  std::vector<std::exception_ptr> errors(count);
  std::atomic<std::size_t> next = 0;
  const auto work = [&](bool is_main) {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        throw_if_interrupted();
        rows[i] = make(i);
      } catch (...) {
        errors[i] = std::current_exception();
        next = count;
      }
      if (is_main && progress) {
        progress("sweeping capacity", static_cast<double>(i + 1) / static_cast<double>(count));
      }
    }
  };
  std::vector<std::jthread> helpers;
  for (unsigned i = 1; i < threads && i < count; ++i) {
    helpers.emplace_back(work, false);
  }
  work(true);
  helpers.clear();
  for (const std::exception_ptr& error : errors) {
    if (error) {
      std::rethrow_exception(error);
    }
  }
  return rows;
}

}  // namespace

CapacitySweepRow CapacitySweep::total() const {
  CapacitySweepRow sum;
  sum.points.resize(factors.size());
  sum.needed_factor.resize(kept_goals.size(), 0);
  for (const CapacitySweepRow& row : rows) {
    sum.tokens += row.tokens;
    sum.pairs += row.pairs;
    sum.gate_mass += row.gate_mass;
    for (std::size_t i = 0; i < factors.size(); ++i) {
      sum.points[i].kept += row.points[i].kept;
      sum.points[i].slots += row.points[i].slots;
      sum.points[i].lost_tokens += row.points[i].lost_tokens;
      sum.points[i].dropped_gate_mass += row.points[i].dropped_gate_mass;
    }
    for (std::size_t i = 0; i < kept_goals.size(); ++i) {
      sum.needed_factor[i] = std::max(sum.needed_factor[i], row.needed_factor[i]);
    }
  }
  return sum;
}

CapacitySweep sweep_capacity(const RoutingData& routing,
                             const RankAssignment* ranks,
                             const CapacitySweepOptions& options,
                             const Progress& progress) {
  check_options(routing, options);
  CapacitySweep sweep{.factors = options.factors, .kept_goals = options.kept_goals};
  if (const auto* trace = std::get_if<RoutingTrace>(&routing)) {
    const auto& step_layers = trace->step_layers();
    sweep.has_tokens = true;
    sweep.has_weights =
        !trace->chunks().empty() && trace->gate_weights(trace->chunks().front()).has_value();
    sweep.rows =
        rows_in_parallel(step_layers.size(), options.threads, progress, [&](std::size_t i) {
          return LayerSweep(*trace, *ranks, options, step_layers[i]).run();
        });
    return sweep;
  }
  const auto& load = std::get<ExpertLoad>(routing);
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < load.rows.size(); ++i) {
    if (i == 0 || load.rows[i].step != load.rows[i - 1].step ||
        load.rows[i].layer != load.rows[i - 1].layer) {
      starts.push_back(i);
    }
  }
  starts.push_back(load.rows.size());
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    sweep.rows.push_back(sweep_counts(load, starts[i], starts[i + 1], options));
  }
  return sweep;
}

}  // namespace switchyard
