// Routes that a topology document or a foreign file lays down link by link.
#pragma once

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "topologies/fabric.hpp"

namespace switchyard {

/// Adds the routes of the array at `where`: {"from", "to", "links": [names in path order]}.
void read_routes(const nlohmann::json& routes, Fabric::Parts& parts, const Location& where);

/// The fixed routes of a fabric as read_routes() takes them.
nlohmann::json routes_to_json(const Fabric& fabric);

/// After links were taken out: routes over one of them go too, so that their pairs take shortest
/// paths; the others are renumbered. `new_number` [old links], invalid for those that are gone.
void renumber_routes(std::vector<FixedRoute>& routes, const std::vector<LinkId>& new_number);

}  // namespace switchyard
