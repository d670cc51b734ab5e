// `simulate --crossings`: how often tokens change GPU from layer to layer under a placement.
#pragma once

#include "cli/framework/options.hpp"
#include "sim/replay/scenario.hpp"

namespace switchyard {

void declare_crossings(OptionTable& table);

bool wants_crossings(const ParsedOptions& options);

/// Prints the report as text, or with --json as one document.
ExitCode run_crossings(const ParsedOptions& options, const Scenario& scenario);

}  // namespace switchyard
