// Max-min fair sharing written for the reader, not for speed: the oracle that needs no engine.
#pragma once

#include <vector>

#include "sim/exchange/schedule.hpp"
#include "topologies/fabric.hpp"

namespace switchyard::testing {

/// Fair rates of the transfers in `alive` (indices into the schedule), in bytes/s, by progressive
/// filling (Bertsekas and Gallager, "Data Networks", 1992, section 6.5.2).
std::vector<double> fair_rates(const Fabric& fabric,
                               const Schedule& schedule,
                               const std::vector<std::size_t>& alive);

/// True if `rates` is the max-min fair allocation: no link carries more than its rate, and every
/// transfer crosses a saturated link on which no transfer is faster. `tolerance` is relative.
bool is_max_min_fair(const Fabric& fabric,
                     const Schedule& schedule,
                     const std::vector<std::size_t>& alive,
                     const std::vector<double>& rates,
                     double tolerance);

/// Finish times of transfers that all start at 0 without dependencies; latency added at the end.
std::vector<double> fair_finish_times(const Fabric& fabric, const Schedule& schedule);

}  // namespace switchyard::testing
