// JSON Schema check (draft 7) of the documents people write by hand.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "core/error.hpp"

namespace switchyard {

/// Throws InvalidInput listing every violation, deepest (most specific) first, each with its JSON
/// pointer; unknown keys get the nearest known name. `where` is the document's own place.
void check_schema(const nlohmann::json& document,
                  const nlohmann::json& schema,
                  const Location& where);

}  // namespace switchyard
