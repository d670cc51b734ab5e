// The flags that make up a scenario. Each is a setting in the scenario document; --set reaches the
// rest.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cli/framework/options.hpp"

namespace switchyard {

/// --trace, --topology, --ranks ... --set, --seed.
void declare_scenario(OptionTable& table);

/// Puts the flags given into `document`, --set last, so that it wins.
void apply_scenario_options(nlohmann::json& document, const ParsedOptions& options);

}  // namespace switchyard
