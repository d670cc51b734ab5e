// Kernighan and Lin's exchange, carried through the layers: two parts swap one expert each in every
// layer of a stretch at once, which no sequence of single improvements need find.
#pragma once

#include <vector>

#include "sim/affinity/transitions.hpp"

namespace switchyard {

/// Applies the best such exchange between parts `a` and `b` if it saves crossings, and says whether
/// it did. `turned` holds the transposed counts. Exact over stretches of any length by dynamic
/// programming, but for layers with very many pairs, of which the most promising ones are tried.
bool swap_best_chain(const Transitions& transitions,
                     const std::vector<Matrix<std::int64_t>>& turned,
                     std::int32_t a,
                     std::int32_t b,
                     Parts& parts);

}  // namespace switchyard
