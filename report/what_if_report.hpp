// The ranking of what-ifs for people and for programs.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "report/terminal.hpp"
#include "sim/what_if.hpp"

namespace switchyard {

/// A table of at most 80 columns: those that gain or lose something, or all of them; the budget
/// first. Refused ones are counted, or told with their reason if `all`.
std::string what_if_text(const WhatIfStudy& study, const TextStyle& style, bool all);

/// {"base_s", "layers", "of_layers", "is_partial", "ranked": [{"kind", "change", "time_s", "gain",
/// "dropped_fraction", "refusal", "set"}]}; `set` are the scenario's sections that bring it about.
nlohmann::ordered_json what_if_json(const WhatIfStudy& study);

}  // namespace switchyard
