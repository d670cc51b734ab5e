// `simulate --capacity-sweep`: what many capacity factors would drop and waste, without simulating
// any of them.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cli/framework/options.hpp"
#include "sim/replay/scenario.hpp"

namespace switchyard {

void declare_capacity_sweep(OptionTable& table);

bool wants_capacity_sweep(const ParsedOptions& options);

/// Prints the sweep over the scenario's routing as text, or with --json as one document. Scope,
/// order, group_tokens and minimum are those of the scenario's capacity section.
ExitCode run_capacity_sweep(const ParsedOptions& options, const Scenario& scenario);

}  // namespace switchyard
