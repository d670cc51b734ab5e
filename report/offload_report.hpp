// An offload run as text and as JSON.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "report/terminal.hpp"
#include "sim/offload/offload_scenario.hpp"
#include "sim/offload/offload_what_if.hpp"

namespace switchyard {

/// `all` adds a line per layer.
std::string offload_text(const OffloadScenario& scenario,
                         const OffloadResult& result,
                         const std::optional<OffloadStudy>& study,
                         const TextStyle& style,
                         bool all);

nlohmann::ordered_json offload_json(const OffloadScenario& scenario,
                                    const OffloadResult& result,
                                    const std::optional<OffloadStudy>& study);

}  // namespace switchyard
