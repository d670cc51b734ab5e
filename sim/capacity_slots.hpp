// What the limiting capacity policies share: whose tokens share an expert's slots, how many slots
// that makes, and in which order (token, choice) pairs ask for one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
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

/// Rounds slots up as capacity_slots does: a product that is a hair above a whole number is that.
std::int64_t whole_slots(double slots);

/// One (token, choice) pair.
struct Pair {
  std::uint32_t row = 0;
  std::uint32_t choice = 0;
};

/// Tokens that share their experts' slots, and their pairs in order of asking; empty choices are
/// left out.
struct TokenGroup {
  std::int32_t rank = 0;  // of the first token
  std::size_t tokens = 0;
  std::vector<Pair> pairs;
};

/// Who shares slots and who gets them first: `scope`, `group_tokens` and `order`.
class SlotQueue {
 public:
  enum class Scope { Rank, Group, Global };
  enum class Order { Token, Choice, Weight, Random };

  /// Each source rank's tokens, in the given order.
  explicit SlotQueue(Order order) : order_(order) {}

  /// Asks for `order`, and for `scope` and `group_tokens` if `may_share`.
  SlotQueue(Parameters& parameters, const std::string& default_order, bool may_share);

  [[nodiscard]] Order order() const { return order_; }

  [[nodiscard]] Scope scope() const { return scope_; }

  [[nodiscard]] std::size_t group_tokens() const { return group_tokens_; }

  void for_each_group(const LayerTokens& tokens,
                      const std::function<void(const TokenGroup&)>& use) const;

 private:
  [[nodiscard]] std::vector<std::size_t> group_starts(const LayerTokens& tokens) const;
  [[nodiscard]] std::vector<Pair> ordered_pairs(const LayerTokens& tokens,
                                                std::size_t first_row,
                                                std::size_t last_row) const;

  Order order_ = Order::Choice;
  Scope scope_ = Scope::Rank;
  std::size_t group_tokens_ = 4096;
};

/// A fixed limit: a SlotQueue and `factor`, `minimum` and `by_layer`.
class CapacityLimit {
 public:
  CapacityLimit(Parameters& parameters, bool may_share);

  [[nodiscard]] const SlotQueue& queue() const { return queue_; }

  /// Slots of each expert for `tokens` tokens of one group at a layer. Throws InvalidInput if the
  /// factor gives less than one and no minimum lifts it.
  [[nodiscard]] std::int64_t slots(const LayerTokens& layer, std::size_t tokens) const;

  /// Slots of each source rank's own tokens, [ranks].
  [[nodiscard]] std::vector<std::int64_t> slots_by_rank(const LayerTokens& tokens) const;

 private:
  double factor_;
  std::int64_t minimum_;
  std::map<std::int64_t, double> by_layer_;
  SlotQueue queue_;
  Location where_;
};

/// Throws InvalidInput for a capacity of less than one token; `slots` before rounding.
void refuse_less_than_one(double slots, const std::string& formula, const Location& where);

/// Keeps a group's pairs while their expert has room and drops the rest, in place. `slots`
/// [experts].
void keep_while_room(const TokenGroup& group,
                     std::vector<std::int64_t> slots,
                     LayerTokens& tokens,
                     CapacityOutcome& outcome);

/// Keeps pairs of every group while their expert has room and drops the rest, in place.
CapacityOutcome drop_over_limit(const CapacityLimit& limit, LayerTokens& tokens);

}  // namespace switchyard
