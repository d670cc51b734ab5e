// The flags that make up a scenario. Each is a setting in the scenario document; --set reaches the
// rest.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cli/framework/options.hpp"

namespace switchyard {

/// --trace, --topology, --ranks ... --set, --seed.
void declare_scenario(OptionTable& table);

/// The document that SCENARIO names, {} without one. Throws InvalidInput if it is no object; `noun`
/// ("a scenario") is what it should have been, and a trace is pointed to --trace.
nlohmann::json scenario_argument(const ParsedOptions& options, const std::string& noun);

/// Puts the flags given into `document`, --set last, so that it wins.
void apply_scenario_options(nlohmann::json& document, const ParsedOptions& options);

}  // namespace switchyard
