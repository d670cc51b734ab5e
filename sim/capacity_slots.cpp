// Ties between equal gate weights go to the earlier token, then the earlier choice, so that the
// outcome does not depend on the sort.
#include "sim/capacity_slots.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>

#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 3> kOrders{"token", "choice", "weight"};
constexpr std::array<std::string_view, 2> kScopes{"rank", "global"};

bool is_choice(const LayerTokens& tokens, const Pair& pair) {
  return tokens.expert_ids(pair.row, pair.choice) != kNoExpert;
}

// First row of each source rank's tokens, and the end: [ranks + 1].
std::vector<std::size_t> rank_starts(const LayerTokens& tokens) {
  std::vector<std::size_t> starts;
  for (std::size_t rank = 0; rank <= tokens.ranks; ++rank) {
    const auto found = std::lower_bound(
        tokens.source_rank.begin(), tokens.source_rank.end(), static_cast<std::int32_t>(rank));
    starts.push_back(static_cast<std::size_t>(found - tokens.source_rank.begin()));
  }
  return starts;
}

}  // namespace

std::int64_t capacity_slots(double factor,
                            std::size_t top_k,
                            std::size_t tokens,
                            std::size_t experts,
                            std::int64_t minimum) {
  const double exact = factor * static_cast<double>(top_k) * static_cast<double>(tokens) /
                       static_cast<double>(experts);
  // 1.25 * 2 * 64 / 8 must be 20, not 21, when the product rounds a hair above.
  const double slots = std::ceil(exact * (1 - 4 * std::numeric_limits<double>::epsilon()));
  return std::max(minimum, static_cast<std::int64_t>(slots));
}

CapacityLimit::CapacityLimit(Parameters& parameters, bool may_be_global)
    : factor_(parameters.get_number("factor",
                                    1.25,
                                    {1e-6, 1e6},
                                    "capacity factor: slots per expert = "
                                    "ceil(factor * k * tokens / experts)")),
      minimum_(parameters.get_integer("minimum", 1, {1, 1 << 30}, "fewest slots per expert")) {
  const std::string order = parameters.get_choice(
      "order",
      "choice",
      kOrders,
      "who gets a slot first: tokens in order, all first choices before any second, or the "
      "heaviest gate weights");
  order_ = order == "token" ? Order::Token : order == "choice" ? Order::Choice : Order::Weight;
  if (may_be_global) {
    const std::string scope = parameters.get_choice(
        "scope",
        "rank",
        kScopes,
        "whose tokens share an expert's slots: those of one source rank, or all");
    scope_ = scope == "rank" ? Scope::Rank : Scope::Global;
  }
}

std::vector<Pair> CapacityLimit::ordered_pairs(const LayerTokens& tokens,
                                               std::size_t first_row,
                                               std::size_t last_row) const {
  const auto top_k = static_cast<std::uint32_t>(tokens.expert_ids.columns());
  const auto first = static_cast<std::uint32_t>(first_row);
  const auto last = static_cast<std::uint32_t>(last_row);
  std::vector<Pair> pairs;
  pairs.reserve((last_row - first_row) * top_k);
  const auto add = [&](std::uint32_t row, std::uint32_t choice) {
    if (is_choice(tokens, {row, choice})) {
      pairs.push_back({row, choice});
    }
  };
  if (order_ == Order::Choice) {
    for (std::uint32_t choice = 0; choice < top_k; ++choice) {
      for (std::uint32_t row = first; row < last; ++row) {
        add(row, choice);
      }
    }
    return pairs;
  }
  for (std::uint32_t row = first; row < last; ++row) {
    for (std::uint32_t choice = 0; choice < top_k; ++choice) {
      add(row, choice);
    }
  }
  if (order_ == Order::Weight) {
    std::stable_sort(pairs.begin(), pairs.end(), [&tokens](const Pair& a, const Pair& b) {
      return tokens.gate_weights(a.row, a.choice) > tokens.gate_weights(b.row, b.choice);
    });
  }
  return pairs;
}

void CapacityLimit::for_each_group(
    const LayerTokens& tokens,
    const std::function<void(const std::vector<Pair>&, std::int64_t slots)>& use) const {
  const std::size_t top_k = tokens.expert_ids.columns();
  const std::vector<std::size_t> starts =
      scope_ == Scope::Global ? std::vector<std::size_t>{0, tokens.source_rank.size()}
                              : rank_starts(tokens);
  for (std::size_t group = 0; group + 1 < starts.size(); ++group) {
    const std::size_t rows = starts[group + 1] - starts[group];
    if (rows > 0) {
      use(ordered_pairs(tokens, starts[group], starts[group + 1]),
          capacity_slots(factor_, top_k, rows, tokens.experts, minimum_));
    }
  }
}

std::vector<std::int64_t> CapacityLimit::slots_by_rank(const LayerTokens& tokens) const {
  const std::vector<std::size_t> starts = rank_starts(tokens);
  std::vector<std::int64_t> slots;
  for (std::size_t rank = 0; rank < tokens.ranks; ++rank) {
    const std::size_t rows = starts[rank + 1] - starts[rank];
    slots.push_back(
        rows == 0
            ? 0
            : capacity_slots(factor_, tokens.expert_ids.columns(), rows, tokens.experts, minimum_));
  }
  return slots;
}

CapacityOutcome drop_over_limit(const CapacityLimit& limit, LayerTokens& tokens) {
  CapacityOutcome outcome;
  limit.for_each_group(tokens, [&](const std::vector<Pair>& pairs, std::int64_t slots) {
    std::vector<std::int64_t> taken(tokens.experts, 0);
    outcome.pairs += static_cast<std::int64_t>(pairs.size());
    for (const Pair& pair : pairs) {
      std::int32_t& expert = tokens.expert_ids(pair.row, pair.choice);
      std::int64_t& used = taken[static_cast<std::size_t>(expert)];
      if (used < slots) {
        ++used;
        ++outcome.kept;
      } else {
        expert = kNoExpert;
        ++outcome.dropped;
      }
    }
  });
  return outcome;
}

}  // namespace switchyard
