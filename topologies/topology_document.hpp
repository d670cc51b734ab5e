// The explicit part of a topology document: its devices, links and overrides.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "topologies/building_blocks/fabric_builder.hpp"

namespace switchyard {

/// Adds the devices of the array at `where`.
void read_devices(const nlohmann::json& devices, FabricBuilder& builder, const Location& where);

/// Adds the links of the array at `where`.
void read_links(const nlohmann::json& links, FabricBuilder& builder, const Location& where);

/// Changes or removes links and devices as the array at `where` says, in its order.
void apply_overrides(const nlohmann::json& overrides, Fabric::Parts& parts, const Location& where);

}  // namespace switchyard
