// Topology documents: preset and generator blocks are resolved here; explicit devices, links and
// overrides are read by topology_document.cpp. An unknown or missing unit is reported before the
// schema is checked, because "has no unit" helps more than "is not a string".
#include "topologies/topology_file.hpp"

#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/components/embedded.hpp"
#include "core/components/schema.hpp"
#include "core/files/json_file.hpp"
#include "topologies/fixed_routes.hpp"
#include "topologies/topology_document.hpp"
#include "topologies/topology_format.hpp"

namespace switchyard {

template class Registry<TopologyGenerator>;

namespace {

using nlohmann::json;

constexpr std::string_view kPresetFolder = "topologies/presets/";
constexpr std::string_view kExtension = ".json";
constexpr int kDeepestPreset = 8;  // presets built on presets; more is a circle

std::string preset_path(const std::string& name) {
  return fmt::format("{}{}{}", kPresetFolder, name, kExtension);
}

bool is_file(const std::string& name_or_path) {
  std::error_code ignored;
  return name_or_path == "-" || std::filesystem::is_regular_file(name_or_path, ignored);
}

json preset_document(const std::string& name, const Location& where) {
  const EmbeddedFile file = embedded_preset(kPresetFolder, "topology preset or file", name, where);
  return parse_json(file.content, {std::string(file.path), ""});
}

void refuse_bare_quantities(const json& entry, const Location& where) {
  for (const auto& [key, unit] : {std::pair{"bandwidth", "Gbps"}, std::pair{"latency", "us"}}) {
    if (entry.contains(key) && entry[key].is_number()) {
      throw InvalidInput(fmt::format("{} has no unit", entry[key].dump()),
                         where.child(key),
                         fmt::format("try \"{}{}\"", entry[key].dump(), unit));
    }
  }
}

void check_document(const json& document, const Location& where) {
  for (const char* list : {"links", "overrides"}) {
    if (!document.is_object() || !document.contains(list) || !document[list].is_array()) {
      continue;
    }
    for (std::size_t i = 0; i < document[list].size(); ++i) {
      if (document[list][i].is_object()) {
        refuse_bare_quantities(document[list][i], where.child(list).child(i));
      }
    }
  }
  static const json kSchema = json::parse(embedded_file("topologies/schema/topology.schema.json"));
  check_schema(document, kSchema, where);
}

// The document with its preset, and the preset's own, written out in it.
json with_preset(json document, const Location& where) {
  for (int depth = 0; document.is_object() && document.contains("preset"); ++depth) {
    if (depth == kDeepestPreset || !document["preset"].is_string()) {
      throw InvalidInput("this is not the name of a preset", where.child("preset"));
    }
    json base = preset_document(document["preset"].get<std::string>(), where.child("preset"));
    document.erase("preset");
    for (const char* list : {"devices", "links", "routes", "overrides"}) {
      if (document.contains(list) && document[list].is_array() && base.contains(list)) {
        json joined = base[list];
        joined.insert(joined.end(), document[list].begin(), document[list].end());
        document[list] = std::move(joined);
      }
    }
    base.merge_patch(document);
    document = std::move(base);
  }
  return document;
}

PathPolicy policy_of(const std::string& name) {
  for (const PathPolicy policy : {PathPolicy::Hashed, PathPolicy::Spread, PathPolicy::Pinned}) {
    if (path_policy_name(policy) == name) {
      return policy;
    }
  }
  throw InternalError("the topology schema lets through the path policy " + name);
}

// A file that a document names: beside the document, else from the current folder.
std::filesystem::path named_file(const std::string& name, const Location& where) {
  const std::filesystem::path beside =
      std::filesystem::path(where.file).parent_path() / std::filesystem::path(name);
  std::error_code ignored;
  return std::filesystem::is_regular_file(beside, ignored) ? beside : std::filesystem::path(name);
}

Fabric::Parts imported(const json& document, const Location& where) {
  const std::filesystem::path path = named_file(document.at("file").get<std::string>(), where);
  const std::string format = document.value("format", guess_topology_format(path));
  if (format.empty()) {
    throw InvalidInput(fmt::format("\"{}\" is in no known topology format", path.string()),
                       where.child("file"),
                       "name it by \"format\"");
  }
  Parameters parameters(document.value("parameters", json()), where.child("parameters"));
  const Fabric fabric = Registry<TopologyFormat>::instance()
                            .create(format, "topology format", parameters, where.child("format"))
                            ->read(path);
  return {.name = fabric.name(),
          .source = fabric.source(),
          .is_calibrated = fabric.is_calibrated(),
          .devices = {fabric.devices().begin(), fabric.devices().end()},
          .links = {fabric.links().begin(), fabric.links().end()},
          .path_policy = fabric.path_policy(),
          .path_seed = fabric.path_seed(),
          .routes = {fabric.fixed_routes().begin(), fabric.fixed_routes().end()}};
}

Fabric::Parts generated(const json& document, const Location& where) {
  const auto name = document.at("generator").get<std::string>();
  Parameters parameters(document.value("parameters", json()), where.child("parameters"));
  const auto generator = Registry<TopologyGenerator>::instance().create(
      name, "topology generator", parameters, where.child("generator"));
  try {
    return generator->generate();
  } catch (const InvalidInput& error) {
    throw InvalidInput(error.what(), where.child("parameters"), error.hint());
  }
}

// What the explicit devices and links are added to.
Fabric::Parts basis_of(const json& document, const Location& where) {
  const bool is_generated = document.contains("generator");
  const bool is_imported = document.contains("file");
  if (is_generated && is_imported) {
    throw InvalidInput("a topology has either a \"generator\" or a \"file\"", where);
  }
  if (is_generated || is_imported) {
    return is_generated ? generated(document, where) : imported(document, where);
  }
  if (!document.contains("devices")) {
    throw InvalidInput(
        "a topology needs \"devices\" and \"links\", a \"generator\", a \"preset\" or a \"file\"",
        where);
  }
  if (document.contains("parameters")) {
    throw InvalidInput("\"parameters\" without a \"generator\"", where.child("parameters"));
  }
  return {};
}

json device_to_json(const Device& device) {
  json entry{{"name", device.name}, {"kind", device_kind_name(device.kind)}};
  if (device.node.is_valid()) {
    entry["node"] = device.node.value;
  }
  return entry;
}

json link_to_json(const Link& link, std::span<const Device> devices) {
  json entry{{"name", link.name},
             {"from", devices[link.from.index()].name},
             {"to", devices[link.to.index()].name},
             {"bandwidth", to_unit_string(link.bandwidth)},
             {"latency", to_unit_string(link.latency)},
             {"duplex", "one_way"}};
  if (link.efficiency != 1) {
    entry["efficiency"] = link.efficiency;
  }
  if (link.cost != 1) {
    entry["cost"] = link.cost;
  }
  return entry;
}

}  // namespace

Fabric fabric_from_json(const json& given, const Location& where) {
  const json document = with_preset(given, where);
  check_document(document, where);
  FabricBuilder builder(basis_of(document, where));
  read_devices(document.value("devices", json::array()), builder, where.child("devices"));
  read_links(document.value("links", json::array()), builder, where.child("links"));
  read_routes(document.value("routes", json::array()), builder.parts(), where.child("routes"));
  apply_overrides(
      document.value("overrides", json::array()), builder.parts(), where.child("overrides"));
  Fabric::Parts parts = builder.take();
  parts.name = document.value("name", parts.name);
  parts.source = document.value("source", parts.source);
  parts.is_calibrated = document.value("calibrated", parts.is_calibrated);
  if (document.contains("calibration")) {
    parts.calibration = named_file(document["calibration"].get<std::string>(), where).string();
  }
  parts.path_policy =
      policy_of(document.value("path_policy", std::string(path_policy_name(parts.path_policy))));
  parts.path_seed = document.value("path_seed", parts.path_seed);
  return Fabric(std::move(parts), where);
}

json load_topology_document(const std::string& name_or_path) {
  if (!is_file(name_or_path)) {
    return with_preset(preset_document(name_or_path, {}), {preset_path(name_or_path), ""});
  }
  if (name_or_path != "-" && !guess_topology_format(name_or_path).empty()) {
    return {{"file", name_or_path}};
  }
  return with_preset(read_json_file(name_or_path), {name_or_path, ""});
}

Fabric load_topology(const std::string& name_or_path) {
  return fabric_from_json(load_topology_document(name_or_path),
                          {is_file(name_or_path) ? name_or_path : preset_path(name_or_path), ""});
}

json topology_to_json(const Fabric& fabric) {
  json document{{"name", fabric.name()},
                {"source", fabric.source()},
                {"calibrated", fabric.is_calibrated()},
                {"path_policy", path_policy_name(fabric.path_policy())},
                {"path_seed", fabric.path_seed()},
                {"devices", json::array()},
                {"links", json::array()}};
  if (!fabric.calibration().empty()) {
    document["calibration"] = fabric.calibration();
  }
  for (const Device& device : fabric.devices()) {
    document["devices"].push_back(device_to_json(device));
  }
  for (const Link& link : fabric.links()) {
    document["links"].push_back(link_to_json(link, fabric.devices()));
  }
  if (!fabric.fixed_routes().empty()) {
    document["routes"] = routes_to_json(fabric);
  }
  return document;
}

std::vector<TopologyPreset> topology_presets() {
  std::vector<TopologyPreset> presets;
  for (const std::string& name : embedded_names(kPresetFolder)) {
    const json document = with_preset(preset_document(name, {}), {preset_path(name), ""});
    presets.push_back({name, document.value("description", "")});
  }
  return presets;
}

}  // namespace switchyard
