// Guesses what a file is from its name and first bytes, for commands that take "any file".
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "profiler/event_timeline.hpp"
#include "topologies/fabric.hpp"
#include "traces/expert_load.hpp"

namespace switchyard {

enum class FileKind {
  Routing,          // native trace or counts
  ForeignRouting,   // `format` is an importer's name
  Topology,         // native document or preset
  ForeignTopology,  // `format` is a topology format's name
  ResultFile,       // SQLite
  ResultDocument,   // JSON of simulate --json
  Scenario,         // JSON
  Timeline,         // native measured timeline (SQLite)
  ForeignTimeline,  // `format` is a timeline importer's name
};

struct FileGuess {
  FileKind kind = FileKind::Routing;
  std::string format;  // of foreign kinds; empty otherwise
};

/// `name` is a path or the name of a topology preset. `format` (from --from) settles the matter.
/// Throws InvalidInput when nothing recognises the file, or several importers do.
FileGuess guess_file(const std::string& name, const std::optional<std::string>& format);

/// Reads a routing file of either kind with a progress bar. `settings` are parameters of the
/// importer as "name=value"; a native file has none.
RoutingData read_routing(const std::string& name,
                         const FileGuess& guess,
                         bool is_quiet,
                         std::span<const std::string> settings = {});
/// Reads a topology of either kind.
Fabric read_topology(const std::string& name, const FileGuess& guess);

/// Reads a measured timeline of either kind into `sink`, with a progress bar.
void read_timeline_file(const std::string& name,
                        const FileGuess& guess,
                        bool is_quiet,
                        TimelineSink& sink,
                        std::span<const std::string> settings = {});

/// Names accepted by --from: importers of routing and of profiles,
/// then readable topology formats.
std::vector<std::string> foreign_formats();

}  // namespace switchyard
