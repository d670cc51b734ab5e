// A finished simulation made by hand: two layers on four GPUs, numbers that are easy to add.
#pragma once

#include "sim/replay/result.hpp"

namespace switchyard::testing {

/// Level L2, with times.
SimulationResult small_result();
/// The same loads from counts (L0): no traffic, no times.
SimulationResult small_counts_result();

}  // namespace switchyard::testing
