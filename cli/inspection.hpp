// What a file holds, as text for people and as JSON: the contents of `inspect`.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "profiler/event_timeline.hpp"
#include "profiler/phases/phase_rules.hpp"
#include "report/files/result_store.hpp"
#include "topologies/fabric.hpp"
#include "traces/expert_load.hpp"

namespace switchyard {

struct Inspection {
  nlohmann::ordered_json document;
  std::string text;
};

/// Shape, fidelity, and for each layer (all steps and ranks together) imbalance and idle experts.
/// `all_layers` false shows the 20 least balanced as text when there are more than 40.
Inspection inspect_routing(const RoutingData& routing, bool all_layers);
/// Devices by kind, links by kind, rate and latency.
Inspection inspect_topology(const Fabric& fabric);
/// The point's columns, its metrics, and the number of rows of each table.
Inspection inspect_result(const StoredResult& result);
/// A document of simulate --json; throws InvalidInput if a needed key is missing.
Inspection inspect_result_document(const nlohmann::json& document, const Location& where);

/// Processes, events by kind, longest kernels, MoE phases by `rules`, timings and notes.
Inspection inspect_timeline(const EventTimeline& timeline, const PhaseRules& rules);

}  // namespace switchyard
