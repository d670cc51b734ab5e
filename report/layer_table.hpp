// The summary's table of layers.
#pragma once

#include <string>

#include "sim/replay/result.hpp"

namespace switchyard {

/// All layers in their order, or the few slowest (without times: least balanced), with a title.
std::string layer_table(const SimulationResult& result, bool all);

}  // namespace switchyard
