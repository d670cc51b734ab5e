// MC-MoE's bit widths (arXiv 2410.06270): which expert of a layer gets how many bits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix.hpp"

namespace switchyard {

/// Exponents of the cost of giving expert i j bits: frequency^alpha weight^beta error(i, j)^gamma.
struct BitExponents {
  double alpha = 1;
  double beta = 1.5;
  double gamma = 1;
};

/// `frequency`, `weight` [experts]: share of selections and mean gate weight; `error`
/// [experts, widths]: of the output at each width. Answers [experts, widths].
Matrix<double> bit_costs(std::span<const double> frequency,
                         std::span<const double> weight,
                         const Matrix<double>& error,
                         const BitExponents& exponents);

/// What a solution must hold besides the total.
struct BitRules {
  std::vector<std::int64_t> widths{1, 2, 3};     // to choose from, ascending
  std::vector<std::int64_t> at_least_one{2, 3};  // widths that some expert must get
  bool is_exact = true;                          // use all bits; else at most (released solver)
};

/// One width for each expert, [experts], of least total cost (`costs` [experts, widths]) with
/// `total_bits` bits in all: dynamic programming over experts, bits used and required widths met,
/// exact. Empty if no choice satisfies the rules.
std::vector<std::int64_t> allocate_bits(const Matrix<double>& costs,
                                        std::int64_t total_bits,
                                        const BitRules& rules);

}  // namespace switchyard
