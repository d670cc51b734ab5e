// Ties between equal gate weights go to the earlier token, then the earlier choice, so that the
// outcome does not depend on the sort.
#include "sim/capacity_slots.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 4> kOrders{"token", "choice", "weight", "random"};
constexpr std::array<std::string_view, 3> kScopes{"rank", "group", "global"};
constexpr std::uint64_t kPurpose = 0x6361706163697479;  // "capacity"

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

std::map<std::int64_t, double> read_by_layer(Parameters& parameters) {
  const nlohmann::json given = parameters.get_json(
      "by_layer", "factors of single layers: {\"3\": 1.5, ...}; the others have `factor`");
  std::map<std::int64_t, double> factors;
  const Location where = parameters.where().child("by_layer");
  if (!given.is_null() && !given.is_object()) {
    throw InvalidInput("wanted an object of layer: factor", where);
  }
  for (const auto& [key, value] : given.items()) {
    const bool is_layer =
        !key.empty() && key.size() < 18 && key.find_first_not_of("0123456789") == std::string::npos;
    if (!is_layer || !value.is_number() || !(value.get<double>() > 0)) {
      throw InvalidInput(
          fmt::format("{}: {} is no layer with a positive factor", key, value.dump()), where);
    }
    factors[std::stoll(key)] = value.get<double>();
  }
  return factors;
}

}  // namespace

std::int64_t whole_slots(double slots) {
  // 1.25 * 2 * 64 / 8 must be 20, not 21, when the product rounds a hair above.
  return static_cast<std::int64_t>(
      std::ceil(slots * (1 - 4 * std::numeric_limits<double>::epsilon())));
}

std::int64_t capacity_slots(double factor,
                            std::size_t top_k,
                            std::size_t tokens,
                            std::size_t experts,
                            std::int64_t minimum) {
  const double exact = factor * static_cast<double>(top_k) * static_cast<double>(tokens) /
                       static_cast<double>(experts);
  return std::max(minimum, whole_slots(exact));
}

void refuse_less_than_one(double slots, const std::string& formula, const Location& where) {
  if (slots < 1) {
    throw InvalidInput(
        fmt::format("a capacity of {} = {:.3g} slots is less than one token", formula, slots),
        where,
        "raise the factor, or set capacity.minimum=1 to give every expert one slot all the same");
  }
}

SlotQueue::SlotQueue(Parameters& parameters, const std::string& default_order, bool may_share) {
  const std::string order = parameters.get_choice(
      "order",
      default_order,
      kOrders,
      "who gets a slot first: tokens in order, all first choices before any second, the heaviest "
      "gate weights, or by lot");
  order_ = static_cast<Order>(std::find(kOrders.begin(), kOrders.end(), order) - kOrders.begin());
  if (!may_share) {
    return;
  }
  const std::string scope = parameters.get_choice(
      "scope",
      "rank",
      kScopes,
      "whose tokens share an expert's slots: those of one source rank, of a group of consecutive "
      "tokens of a rank (GShard), or all");
  scope_ = static_cast<Scope>(std::find(kScopes.begin(), kScopes.end(), scope) - kScopes.begin());
  group_tokens_ = static_cast<std::size_t>(parameters.get_integer(
      "group_tokens", 4096, {1, INT64_C(1) << 40U}, "scope group: tokens of a group"));
}

std::vector<std::size_t> SlotQueue::group_starts(const LayerTokens& tokens) const {
  if (scope_ == Scope::Global) {
    return {0, tokens.source_rank.size()};
  }
  std::vector<std::size_t> starts = rank_starts(tokens);
  if (scope_ == Scope::Group) {
    std::vector<std::size_t> groups;
    for (std::size_t rank = 0; rank + 1 < starts.size(); ++rank) {
      for (std::size_t row = starts[rank]; row < starts[rank + 1]; row += group_tokens_) {
        groups.push_back(row);
      }
    }
    groups.push_back(tokens.source_rank.size());
    return groups;
  }
  return starts;
}

std::vector<Pair> SlotQueue::ordered_pairs(const LayerTokens& tokens,
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
  } else if (order_ == Order::Random) {
    RandomStream random(tokens.seed,
                        {kPurpose, static_cast<std::uint64_t>(tokens.layer), first_row});
    for (std::size_t left = pairs.size(); left > 1; --left) {
      std::swap(pairs[left - 1], pairs[random.index(left)]);
    }
  }
  return pairs;
}

void SlotQueue::for_each_group(const LayerTokens& tokens,
                               const std::function<void(const TokenGroup&)>& use) const {
  const std::vector<std::size_t> starts = group_starts(tokens);
  for (std::size_t group = 0; group + 1 < starts.size(); ++group) {
    const std::size_t rows = starts[group + 1] - starts[group];
    if (rows > 0) {
      use({.rank = tokens.source_rank[starts[group]],
           .tokens = rows,
           .pairs = ordered_pairs(tokens, starts[group], starts[group + 1])});
    }
  }
}

CapacityLimit::CapacityLimit(Parameters& parameters, bool may_share)
    : factor_(parameters.get_number("factor",
                                    1.25,
                                    {1e-6, 1e6},
                                    "capacity factor: slots per expert = "
                                    "ceil(factor * k * tokens / experts)")),
      minimum_(parameters.get_integer(
          "minimum",
          0,
          {0, 1 << 30},
          "fewest slots per expert; 0 = none, and less than one slot is refused")),
      by_layer_(read_by_layer(parameters)),
      queue_(parameters, "choice", may_share),
      where_(parameters.where()) {}

std::int64_t CapacityLimit::slots(const LayerTokens& layer, std::size_t tokens) const {
  const auto found = by_layer_.find(layer.layer);
  const double factor = found == by_layer_.end() ? factor_ : found->second;
  const std::size_t top_k = layer.expert_ids.columns();
  const double exact = factor * static_cast<double>(top_k) * static_cast<double>(tokens) /
                       static_cast<double>(layer.experts);
  if (minimum_ == 0) {
    refuse_less_than_one(
        exact,
        fmt::format(
            "{} x {} choices x {} tokens / {} experts", factor, top_k, tokens, layer.experts),
        where_.child("factor"));
  }
  return std::max(minimum_, whole_slots(exact));
}

std::vector<std::int64_t> CapacityLimit::slots_by_rank(const LayerTokens& tokens) const {
  const std::vector<std::size_t> starts = rank_starts(tokens);
  std::vector<std::int64_t> by_rank;
  for (std::size_t rank = 0; rank < tokens.ranks; ++rank) {
    const std::size_t rows = starts[rank + 1] - starts[rank];
    by_rank.push_back(rows == 0 ? 0 : slots(tokens, rows));
  }
  return by_rank;
}

void keep_while_room(const TokenGroup& group,
                     std::vector<std::int64_t> slots,
                     LayerTokens& tokens,
                     CapacityOutcome& outcome) {
  outcome.pairs += static_cast<std::int64_t>(group.pairs.size());
  for (const Pair& pair : group.pairs) {
    std::int32_t& expert = tokens.expert_ids(pair.row, pair.choice);
    std::int64_t& room = slots[static_cast<std::size_t>(expert)];
    if (room > 0) {
      --room;
      ++outcome.kept;
    } else {
      expert = kNoExpert;
      ++outcome.dropped;
    }
  }
}

CapacityOutcome drop_over_limit(const CapacityLimit& limit, LayerTokens& tokens) {
  CapacityOutcome outcome;
  limit.queue().for_each_group(tokens, [&](const TokenGroup& group) {
    const std::int64_t slots = limit.slots(tokens, group.tokens);
    keep_while_room(group, std::vector<std::int64_t>(tokens.experts, slots), tokens, outcome);
  });
  return outcome;
}

}  // namespace switchyard
