// Placements in files: our own JSON, the arrays of EPLB, the load balancer configuration of
// TensorRT-LLM, and the CSV tables of serving systems.
//
// | file        | content                                                                        |
// |-------------|--------------------------------------------------------------------------------|
// | .json       | ours: experts, ranks, layers [{layer, slot_to_expert, slot_to_rank, shards}]    |
// | .json       | EPLB: phy2log [layers][slots] (log2phy, logcnt are checked if there)            |
// | .yaml .yml  | TensorRT-LLM: num_slots, initial_global_assignments {layer: [slots]}            |
// | others      | CSV rank,moe_layer,experts                                                      |
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "sim/placement.hpp"

namespace switchyard {

/// Of our own JSON.
inline constexpr int kPlacementFormatVersion = 1;

/// A placement as a file gives it.
struct StoredPlacement {
  Location where;
  std::int64_t experts = 0;          // 0 = the file does not say
  std::int64_t ranks = 0;            // 0 = the file does not say: slots are dealt evenly
  bool allows_repeats = false;       // an expert may be twice on one rank: EPLB does that at times
  std::vector<std::int64_t> layers;  // ids, ascending; from 0 where the file has none
  Placement placement;               // slot_to_rank is empty where ranks == 0
};

/// Reads any of the formats above. Throws InvalidInput naming file and place.
StoredPlacement read_placement(const std::filesystem::path& path);

/// The placement for a scenario's sizes: layers in order, slots dealt to ranks where the file names
/// none. Throws InvalidInput with the numbers that clash: sizes, a lost expert, an expert twice on
/// one rank, unless the file allows it (EPLB's arrays and TensorRT-LLM's files do).
Placement fit_placement(const StoredPlacement& stored, const PlacementInput& input);

enum class PlacementFormat { Json, Eplb, TensorRtLlm, Csv };

/// By name: .eplb.json, .json, .yaml or .yml, .csv. Throws InvalidInput for any other.
PlacementFormat placement_format_of(const std::filesystem::path& path);

/// The file's text. Throws InvalidInput if the format cannot hold the placement: EPLB and
/// TensorRT-LLM want equally many slots on every rank, in order of rank, and whole experts.
std::string placement_text(const Placement& placement,
                           const PlacementInput& input,
                           PlacementFormat format);

}  // namespace switchyard
