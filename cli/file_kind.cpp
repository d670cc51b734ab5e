// The order matters: foreign formats are asked first, because they look at more than a JSON brace.
#include "cli/file_kind.hpp"

#include <algorithm>
#include <array>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/sample_trace.hpp"
#include "core/components/suggestion.hpp"
#include "core/files/json_file.hpp"
#include "core/files/sqlite.hpp"
#include "profiler/timeline_file.hpp"
#include "profiler/timeline_importer.hpp"
#include "report/files/result_store.hpp"
#include "report/terminal.hpp"
#include "sim/replay/scenario.hpp"
#include "topologies/topology_file.hpp"
#include "topologies/topology_format.hpp"
#include "traces/files/trace_file.hpp"
#include "traces/importer.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

template <class Interface>
std::unique_ptr<Interface> plain(const std::string& name, const std::string& noun) {
  Parameters none(json::object(), {});
  return Registry<Interface>::instance().create(name, noun, none);
}

std::vector<std::string> readable_topology_formats() {
  std::vector<std::string> names;
  for (const std::string& name : Registry<TopologyFormat>::instance().names()) {
    if (plain<TopologyFormat>(name, "topology format")->can_read()) {
      names.push_back(name);
    }
  }
  return names;
}

std::vector<std::string> matching_importers(const std::filesystem::path& path) {
  std::vector<std::string> matches;
  for (const std::string& name : Registry<Importer>::instance().names()) {
    if (plain<Importer>(name, "importer")->recognises(path)) {
      matches.push_back(name);
    }
  }
  return matches;
}

std::optional<std::string> matching_topology_format(const std::filesystem::path& path) {
  for (const std::string& name : readable_topology_formats()) {
    if (plain<TopologyFormat>(name, "topology format")->recognises(path)) {
      return name;
    }
  }
  return std::nullopt;
}

// safetensors: eight bytes of header length, then the header's opening brace.
bool is_safetensors(const std::filesystem::path& path) {
  std::array<char, 9> start{};
  std::ifstream file(path, std::ios::binary);
  return file.read(start.data(), start.size()) && start.back() == '{';
}

bool is_json(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  char first = 0;
  file >> std::ws;
  return file.get(first) && first == '{';
}

FileKind kind_of_document(const json& document) {
  if (document.contains("scenario_hash") && document.contains("total")) {
    return FileKind::ResultDocument;
  }
  // Every key of a scenario has a default; a topology has none of these.
  for (const char* key : {"trace", "topology", "all_to_all", "placement", "capacity", "network"}) {
    if (document.contains(key)) {
      return FileKind::Scenario;
    }
  }
  return FileKind::Topology;
}

FileGuess preset_named(const std::string& name) {
  std::vector<std::string> presets;
  for (const TopologyPreset& preset : topology_presets()) {
    if (preset.name == name) {
      return {FileKind::Topology, ""};
    }
    presets.push_back(preset.name);
  }
  const auto near = nearest_name(name, presets);
  throw InvalidInput("there is no such file, nor a topology of that name",
                     {name, ""},
                     near ? "did you mean \"" + *near + "\"?" : "");
}

// Results, measured timelines and foreign profiles may all be SQLite.
FileGuess guess_database(const std::filesystem::path& path) {
  if (is_timeline_file(path)) {
    return {FileKind::Timeline, ""};
  }
  const auto profiles = matching_timeline_importers(path);
  return profiles.empty() ? FileGuess{FileKind::ResultFile, ""}
                          : FileGuess{FileKind::ForeignTimeline, profiles.front()};
}

FileGuess named_format(const std::string& format) {
  if (Registry<Importer>::instance().contains(format)) {
    return {FileKind::ForeignRouting, format};
  }
  if (Registry<TimelineImporter>::instance().contains(format)) {
    return {FileKind::ForeignTimeline, format};
  }
  const auto formats = readable_topology_formats();
  if (std::find(formats.begin(), formats.end(), format) != formats.end()) {
    return {FileKind::ForeignTopology, format};
  }
  throw InvalidInput("no format is called \"" + format + "\"",
                     {"--from", ""},
                     suggestion_hint(format, foreign_formats()));
}

}  // namespace

std::vector<std::string> foreign_formats() {
  std::vector<std::string> names = Registry<Importer>::instance().names();
  const auto profiles = Registry<TimelineImporter>::instance().names();
  names.insert(names.end(), profiles.begin(), profiles.end());
  const auto formats = readable_topology_formats();
  names.insert(names.end(), formats.begin(), formats.end());
  return names;
}

FileGuess guess_file(const std::string& name, const std::optional<std::string>& format) {
  if (format) {
    return named_format(*format);
  }
  if (is_sample_name(name)) {
    return {FileKind::Routing, ""};
  }
  const std::filesystem::path path(name);
  std::error_code problem;
  if (!std::filesystem::exists(path, problem)) {
    return preset_named(name);
  }
  if (is_sqlite_file(path)) {
    return guess_database(path);
  }
  auto importers = matching_importers(path);
  const auto profiles = matching_timeline_importers(path);
  if (importers.empty() && profiles.size() == 1) {
    return {FileKind::ForeignTimeline, profiles.front()};
  }
  importers.insert(importers.end(), profiles.begin(), profiles.end());
  if (importers.size() > 1) {
    throw InvalidInput("could be several formats",
                       {name, ""},
                       fmt::format("choose one with --from: {}", fmt::join(importers, ", ")));
  }
  if (importers.size() == 1) {
    return {FileKind::ForeignRouting, importers.front()};
  }
  if (const auto topology_format = matching_topology_format(path)) {
    return {FileKind::ForeignTopology, *topology_format};
  }
  if (is_safetensors(path)) {
    return {FileKind::Routing, ""};
  }
  if (is_json(path)) {
    return {kind_of_document(read_json_file(path)), ""};
  }
  throw InvalidInput(
      "is nothing that switchyard knows",
      {name, ""},
      "formats: switchyard list importers, list profiles, list formats; what simulate "
      "prints is text for people: its results are files of simulate --save FILE or "
      "--json");
}

RoutingData read_routing(const std::string& name,
                         const FileGuess& guess,
                         bool is_quiet,
                         std::span<const std::string> settings) {
  if (guess.kind == FileKind::Routing) {
    if (!settings.empty()) {
      throw InvalidInput("a native file is read without parameters", {"--set", ""});
    }
    return is_sample_name(name) ? open_sample(name) : open_routing(name);
  }
  json values = json::object();
  for (const std::string& setting : settings) {
    apply_setting(values, setting);
  }
  Parameters parameters(values, {"--set", ""});
  ProgressBar bar(is_quiet);
  return Registry<Importer>::instance()
      .create(guess.format, "importer", parameters)
      ->read(name, bar.callback());
}

void read_timeline_file(const std::string& name,
                        const FileGuess& guess,
                        bool is_quiet,
                        TimelineSink& sink,
                        std::span<const std::string> settings) {
  if (guess.kind == FileKind::Timeline) {
    if (!settings.empty()) {
      throw InvalidInput("a native file is read without parameters", {"--set", ""});
    }
    read_timeline(name, sink);
    return;
  }
  json values = json::object();
  for (const std::string& setting : settings) {
    apply_setting(values, setting);
  }
  Parameters parameters(values, {"--set", ""});
  const auto importer =
      Registry<TimelineImporter>::instance().create(guess.format, "importer", parameters);
  ProgressBar bar(is_quiet);
  import_timeline(*importer, name, sink, bar.callback());
}

Fabric read_topology(const std::string& name, const FileGuess& guess) {
  return guess.kind == FileKind::Topology
             ? load_topology(name)
             : plain<TopologyFormat>(guess.format, "topology format")->read(name);
}

}  // namespace switchyard
