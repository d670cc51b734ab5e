// What a run comes to once its last layer is in place.
#pragma once

#include <map>
#include <string>

#include "sim/replay/result.hpp"
#include "sim/replay/scenario.hpp"

namespace switchyard {

/// Fills result.total and the links' busy times from result.layers and result.links: sums, worst
/// cases, shares; then adds what a step exchanges outside its layers.
void sum_up(const Scenario& scenario, SimulationResult& result);

/// Fills in what was simulated, the error to expect, and notes on what was assumed. `outside`: what
/// lay outside the calibration's range, in words, by feature.
void describe_run(const Scenario& scenario,
                  const std::map<std::string, std::string>& outside,
                  SimulationResult& result);

}  // namespace switchyard
