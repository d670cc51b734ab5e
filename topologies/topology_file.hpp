// Topology files: JSON with unit strings, either explicit devices and links or a generator block.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/components/registry.hpp"
#include "topologies/fabric.hpp"

namespace switchyard {

/// A rule that makes a fabric from a few numbers. One .cpp in topologies/generators/ each.
class TopologyGenerator {
 public:
  TopologyGenerator() = default;
  TopologyGenerator(const TopologyGenerator&) = delete;
  TopologyGenerator& operator=(const TopologyGenerator&) = delete;
  TopologyGenerator(TopologyGenerator&&) = delete;
  TopologyGenerator& operator=(TopologyGenerator&&) = delete;
  virtual ~TopologyGenerator() = default;

  /// Devices and links; name and source are filled in by the caller.
  [[nodiscard]] virtual Fabric::Parts generate() const = 0;
};

extern template class Registry<TopologyGenerator>;

/// Builds the fabric a document describes (schema: topologies/schema/topology.schema.json).
Fabric fabric_from_json(const nlohmann::json& document, const Location& where);
/// `name_or_path`: a preset's name ("hgx_h100_rail_64"), a path to a .json file, or a path to a
/// file in a format of topologies/formats/, read with that format's default parameters. A name that
/// is none of these gets the nearest preset as hint.
Fabric load_topology(const std::string& name_or_path);
/// The document behind that name, its presets written out: lets scenarios change one.
nlohmann::json load_topology_document(const std::string& name_or_path);
/// The explicit document of a fabric: every device and link written out.
nlohmann::json topology_to_json(const Fabric& fabric);

/// Names of the embedded presets, sorted, and the description each gives of itself.
struct TopologyPreset {
  std::string name;
  std::string description;
};

std::vector<TopologyPreset> topology_presets();

}  // namespace switchyard
