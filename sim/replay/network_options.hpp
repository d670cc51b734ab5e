// The scenario's "network" section.
#pragma once

#include "core/components/parameters.hpp"
#include "sim/network/network.hpp"

namespace switchyard {

/// Reads every realism term and limit; the caller has taken "name" out and calls finish().
NetworkOptions read_network_options(Parameters& parameters);

}  // namespace switchyard
