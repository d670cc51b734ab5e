// What the limiting capacity policies share: how many tokens an expert takes, and in which order
// (token, choice) pairs ask for a place.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/components/parameters.hpp"
#include "sim/capacity.hpp"

namespace switchyard {

/// Slots per expert: ceil(factor * k * tokens / experts), at least `minimum` (GShard, arXiv
/// 2006.16668, Algorithm 1, whose capacity counts all k choices).
std::int64_t capacity_slots(double factor,
                            std::size_t top_k,
                            std::size_t tokens,
                            std::size_t experts,
                            std::int64_t minimum);

/// One (token, choice) pair.
struct Pair {
  std::uint32_t row = 0;
  std::uint32_t choice = 0;
};

/// Parameters of a capacity limit: factor, minimum, scope and order.
class CapacityLimit {
 public:
  enum class Scope { Rank, Global };
  enum class Order { Token, Choice, Weight };

  /// Asks for `factor`, `minimum` and `order`, and for `scope` if `may_be_global`.
  CapacityLimit(Parameters& parameters, bool may_be_global);

  [[nodiscard]] Order order() const { return order_; }

  /// Calls `use(pairs, slots)` for each group of tokens that share their experts' slots (one source
  /// rank, or all), with the group's pairs in order of asking. Empty choices are left out.
  void for_each_group(
      const LayerTokens& tokens,
      const std::function<void(const std::vector<Pair>&, std::int64_t slots)>& use) const;

  /// Slots of each source rank's own tokens, [ranks].
  [[nodiscard]] std::vector<std::int64_t> slots_by_rank(const LayerTokens& tokens) const;

 private:
  [[nodiscard]] std::vector<Pair> ordered_pairs(const LayerTokens& tokens,
                                                std::size_t first_row,
                                                std::size_t last_row) const;

  double factor_;
  std::int64_t minimum_;
  Order order_;
  Scope scope_ = Scope::Rank;
};

/// Keeps pairs while their expert has room and drops the rest, in place.
CapacityOutcome drop_over_limit(const CapacityLimit& limit, LayerTokens& tokens);

}  // namespace switchyard
