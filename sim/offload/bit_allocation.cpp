#include "sim/offload/bit_allocation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace switchyard {
namespace {

constexpr double kNoWay = std::numeric_limits<double>::infinity();

// Costs and choices over [experts + 1, (bits used, set of required widths met)].
class Table {
 public:
  Table(std::size_t experts, std::size_t total_bits, std::size_t required)
      : sets_(std::size_t{1} << required),
        columns_((total_bits + 1) * sets_),
        cost_(experts + 1, columns_, kNoWay),
        choice_(experts + 1, columns_) {
    cost_(0, 0) = 0;
  }

  [[nodiscard]] std::size_t state(std::size_t bits, std::size_t met) const {
    return bits * sets_ + met;
  }

  void offer(std::size_t expert, std::size_t from, std::size_t to, double cost, std::size_t width) {
    const double total = cost_(expert, from) + cost;
    if (total < cost_(expert + 1, to)) {
      cost_(expert + 1, to) = total;
      choice_(expert + 1, to) = {.from = from, .width = width};
    }
  }

  [[nodiscard]] double cost(std::size_t expert, std::size_t state) const {
    return cost_(expert, state);
  }

  // Widths chosen on the way to `state`, as indices, first expert first.
  [[nodiscard]] std::vector<std::size_t> path(std::size_t state) const {
    std::vector<std::size_t> widths(cost_.rows() - 1);
    for (std::size_t expert = widths.size(); expert-- > 0;) {
      widths[expert] = choice_(expert + 1, state).width;
      state = choice_(expert + 1, state).from;
    }
    return widths;
  }

  [[nodiscard]] std::size_t columns() const { return columns_; }

  [[nodiscard]] std::size_t sets() const { return sets_; }

 private:
  struct Choice {
    std::size_t from = 0;
    std::size_t width = 0;
  };

  std::size_t sets_;
  std::size_t columns_;
  Matrix<double> cost_;
  Matrix<Choice> choice_;
};

// The set of required widths that one expert of this width meets.
std::size_t met_by(const BitRules& rules, std::int64_t width) {
  std::size_t met = 0;
  for (std::size_t i = 0; i < rules.at_least_one.size(); ++i) {
    met |= rules.at_least_one[i] == width ? std::size_t{1} << i : 0;
  }
  return met;
}

// The cheapest state with all experts served and all required widths met.
std::size_t best_end(const Table& table, std::size_t experts, std::size_t limit, bool is_exact) {
  const std::size_t all = table.sets() - 1;
  std::size_t best = table.state(limit, all);
  for (std::size_t bits = 0; bits < limit && !is_exact; ++bits) {
    if (table.cost(experts, table.state(bits, all)) < table.cost(experts, best)) {
      best = table.state(bits, all);
    }
  }
  return best;
}

}  // namespace

Matrix<double> bit_costs(std::span<const double> frequency,
                         std::span<const double> weight,
                         const Matrix<double>& error,
                         const BitExponents& exponents) {
  Matrix<double> costs(error.rows(), error.columns());
  for (std::size_t expert = 0; expert < error.rows(); ++expert) {
    const double significance =
        std::pow(frequency[expert], exponents.alpha) * std::pow(weight[expert], exponents.beta);
    for (std::size_t width = 0; width < error.columns(); ++width) {
      costs(expert, width) = significance * std::pow(error(expert, width), exponents.gamma);
    }
  }
  return costs;
}

std::vector<std::int64_t> allocate_bits(const Matrix<double>& costs,
                                        std::int64_t total_bits,
                                        const BitRules& rules) {
  if (total_bits < 0) {
    return {};
  }
  const auto limit = static_cast<std::size_t>(total_bits);
  Table table(costs.rows(), limit, rules.at_least_one.size());
  for (std::size_t expert = 0; expert < costs.rows(); ++expert) {
    for (std::size_t state = 0; state < table.columns(); ++state) {
      if (table.cost(expert, state) == kNoWay) {
        continue;
      }
      const std::size_t bits = state / table.sets();
      for (std::size_t width = 0; width < rules.widths.size(); ++width) {
        const std::size_t after = bits + static_cast<std::size_t>(rules.widths[width]);
        if (after > limit) {
          break;
        }
        const std::size_t met = state % table.sets() | met_by(rules, rules.widths[width]);
        table.offer(expert, state, table.state(after, met), costs(expert, width), width);
      }
    }
  }
  const std::size_t best = best_end(table, costs.rows(), limit, rules.is_exact);
  if (table.cost(costs.rows(), best) == kNoWay) {
    return {};
  }
  std::vector<std::int64_t> answer;
  for (const std::size_t width : table.path(best)) {
    answer.push_back(rules.widths[width]);
  }
  return answer;
}

}  // namespace switchyard
