// A scenario names everything a simulation needs. It is written as one JSON document
// (docs/file_formats.md, schema in sim/schema/); every command-line flag is a setting in it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "profiler/calibration/calibration_file.hpp"
#include "sim/all_to_all.hpp"
#include "sim/capacity.hpp"
#include "sim/layer_schedule.hpp"
#include "sim/model.hpp"
#include "sim/network/network.hpp"
#include "sim/overlap.hpp"
#include "sim/parallel_groups.hpp"
#include "sim/placement.hpp"
#include "sim/replay/placement_use.hpp"
#include "topologies/fabric.hpp"
#include "traces/expert_load.hpp"
#include "traces/rank_assignment.hpp"

namespace switchyard {

/// Which way a step goes through its layers.
enum class Pass { Forward, Backward, Training };

/// Everything read, checked and built; immutable from here on.
struct Scenario {
  std::shared_ptr<const RoutingData> routing;
  RankRule rank_rule = RankRule::Recorded;
  std::shared_ptr<const Fabric> fabric;
  std::size_t ranks = 0;  // expert-parallel group: the fabric's first GPUs
  ModelCost model;
  TokenBytes token_bytes;
  ComputeDevice device;
  std::shared_ptr<const PlacementRule> placement;
  PlacementUse placement_use;
  std::shared_ptr<const CapacityPolicy> capacity;
  std::shared_ptr<const AllToAll> dispatch;
  std::shared_ptr<const AllToAll> combine;
  std::shared_ptr<const LayerSchedule> schedule;
  std::shared_ptr<const Overlap> overlap;
  Pass pass = Pass::Forward;
  OtherWork other_work;
  ParallelGroups groups;
  std::string network_name;
  std::shared_ptr<const Network> network;
  NetworkOptions network_options;
  std::shared_ptr<const Calibration> calibration;  // null = data-sheet rates, as far as known
  std::string calibration_path;
  std::uint64_t seed = 0;
  std::string resolved_json;  // canonical, every default filled in
  std::string hash;           // XXH3 of resolved_json, 16 hex digits
};

/// The document with nothing but defaults, to start from.
nlohmann::json default_scenario_document();

/// Applies "path=value" ("capacity.factor=1.5", "placement=round_robin"): the value is read as JSON
/// if it is that, else as text. Throws InvalidInput for a malformed setting; unknown paths are
/// found by load_scenario.
void apply_setting(nlohmann::json& document, const std::string& setting);

/// Checks the document against its schema, opens the trace and topology it names and builds every
/// component. `routing` replaces the file named by "trace" (for tests and embedded samples).
/// Throws InvalidInput with the place of the mistake.
Scenario load_scenario(const nlohmann::json& document,
                       const Location& where,
                       std::shared_ptr<const RoutingData> routing = nullptr);

}  // namespace switchyard
