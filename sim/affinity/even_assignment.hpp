// The transportation problem: items to parts of given sizes, for the highest total gain.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix.hpp"

namespace switchyard {

/// Improves `part_of` [items] until no exchange of items along a cycle of parts gains anything,
/// which is the optimum (Klein, Management Science 14(3), 1967: a flow is cheapest when its
/// residual graph has no negative cycle; here the residual graph is contracted to its parts).
/// Sizes of the parts stay as they are. `gain` [items, parts].
void improve_assignment(const Matrix<std::int64_t>& gain,
                        std::size_t parts,
                        std::span<std::int32_t> part_of);

}  // namespace switchyard
