// Schedules in the languages of other network simulators, so that anyone can check our times.
#pragma once

#include <string>

#include "sim/exchange/schedule.hpp"

namespace switchyard {

/// htsim's connection matrix (Broadcom/csg-htsim, datacenter/connection_matrices/*.cm): all
/// connections start at 0. Throws MissingCapability for schedules with dependencies or a window,
/// which its triggers cannot say, and for blocks over 2^31 - 1 bytes, which it cannot read.
std::string htsim_connection_matrix(const Schedule& schedule);

/// GOAL text for LogGOPSim and ATLAHS (Hoefler, Siebert and Lumsdaine, "Group Operation Assembly
/// Language", ICPP 2009): each transfer is a send and a receive with a tag of their own; a transfer
/// that waits for another requires its receive, or its send where both leave the same rank. Throws
/// MissingCapability when a transfer waits for one that its source takes no part in, or for a
/// window of outstanding transfers.
std::string goal_text(const Schedule& schedule);

}  // namespace switchyard
