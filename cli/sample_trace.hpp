// Routing traces built into the program, named like files: "sample:demo".
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "sim/replay/scenario.hpp"
#include "traces/expert_load.hpp"

namespace switchyard {

/// Whether `name` means a built-in trace.
bool is_sample_name(const std::string& name);
/// Opens it; throws InvalidInput with the nearest name if there is none of that name.
RoutingData open_sample(const std::string& name);
/// "sample:demo", ...
std::vector<std::string> sample_names();

/// load_scenario() for documents whose "trace" may name a sample.
Scenario load_scenario_with_samples(const nlohmann::json& document, const Location& where);

}  // namespace switchyard
