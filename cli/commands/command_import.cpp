// `import`: a foreign routing file, profile or topology becomes a native one; says what it took it
// for.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/file_kind.hpp"
#include "cli/framework/command.hpp"
#include "core/files/atomic_file.hpp"
#include "profiler/timeline_file.hpp"
#include "topologies/topology_file.hpp"
#include "traces/files/trace_file.hpp"
#include "traces/rank_assignment.hpp"

namespace switchyard {
namespace {

constexpr std::int64_t kMostSourceRanks = 1'000'000;

using nlohmann::ordered_json;

std::vector<std::string> assigning_rules() {
  return {"contiguous", "round_robin", "by_sequence"};
}

// Gives tokens their ranks if that was asked for.
RoutingData assigned(RoutingData routing, const ParsedOptions& options) {
  const auto rule = options.text("assign-ranks");
  const auto ranks = options.integer("ranks", {1, kMostSourceRanks});
  if (!rule) {
    if (ranks) {
      throw InvalidInput("only means something with --assign-ranks", {"--ranks", ""});
    }
    return routing;
  }
  if (!ranks) {
    throw InvalidInput(
        "needs --ranks N", {"--assign-ranks", ""}, "how many ranks share the tokens");
  }
  const auto* trace = std::get_if<RoutingTrace>(&routing);
  if (trace == nullptr) {
    throw MissingCapability("counts have no tokens that could be assigned to ranks",
                            {"--assign-ranks", ""},
                            "import a file with expert ids per token");
  }
  return with_ranks(
      *trace, parse_rank_rule(*rule, {"--assign-ranks", ""}), static_cast<std::size_t>(*ranks));
}

std::string describe(const RoutingData& routing) {
  const ModelShape& model = metadata_of(routing).model;
  std::string text = fmt::format("level {}", fidelity_name(fidelity_of(routing)));
  if (const auto* trace = std::get_if<RoutingTrace>(&routing)) {
    text += fmt::format(
        ", {} rows, {} experts, top {}", trace->row_count(), trace->expert_count(), trace->top_k());
  } else {
    text += fmt::format(", {} experts", model.experts);
  }
  return model.layers > 0 ? text + fmt::format(", {} layers", model.layers) : text;
}

class ImportCommand final : public Command {
 public:
  [[nodiscard]] std::string usage() const override { return "PATH -o FILE [OPTIONS]"; }

  [[nodiscard]] std::vector<std::string> examples() const override {
    return {"switchyard import router_logs/ -o my.trace --assign-ranks contiguous --ranks 64",
            "switchyard import kineto_traces/ -o job.timeline"};
  }

  void declare(OptionTable& table) const override {
    table.argument("PATH", "file or folder to read", Values::path())
        .value("from",
               "FORMAT",
               "its format, if the guess is wrong (switchyard list importers, profiles, formats)",
               Values::among(foreign_formats))
        .list("set",
              "NAME=VALUE",
              "a parameter of the format: --set top_k=8 (switchyard list importers count_csv)")
        .value("assign-ranks",
               "RULE",
               "give tokens a source rank: contiguous, round_robin or by_sequence",
               Values::among(assigning_rules))
        .value("ranks", "N", "number of ranks for --assign-ranks");
    declare_output(table, "the native file to write");
    declare_json(table);
    declare_quiet(table);
  }

  [[nodiscard]] ExitCode run(const ParsedOptions& options) const override {
    const std::string source = options.required("PATH", "what to import?");
    const std::string target = options.required("output", "say where to write: -o FILE");
    const bool overwrite = options.has("force");
    if (target != "-") {
      check_writable(target, overwrite);
    }
    const FileGuess guess = guess_file(source, options.text("from"));
    switch (guess.kind) {
      case FileKind::Topology:
      case FileKind::ForeignTopology:
        return import_topology(source, target, guess, options);
      case FileKind::Routing:
      case FileKind::ForeignRouting:
        return import_routing(source, target, guess, options);
      case FileKind::Timeline:
      case FileKind::ForeignTimeline:
        return import_profile(source, target, guess, options);
      default:
        throw InvalidInput("is neither routing, nor a profile, nor a topology",
                           {source, ""},
                           "see what it is: switchyard inspect " + source);
    }
  }

 private:
  static std::string taken_for(const FileGuess& guess, const ParsedOptions& options) {
    if (guess.format.empty()) {
      return "native file";
    }
    return options.has("from") ? guess.format : guess.format + " (guessed)";
  }

  static void tell(const ParsedOptions& options,
                   const FileGuess& guess,
                   const std::string& target,
                   const std::string& content,
                   const std::vector<TimelineNote>& notes = {}) {
    std::string text;
    if (options.has("json")) {
      ordered_json document{{"format", guess.format.empty() ? "native" : guess.format},
                            {"is_guess", !options.has("from")},
                            {"content", content},
                            {"output", target}};
      for (const TimelineNote& note : notes) {
        document["notes"].push_back(
            {{"kind", note_kind_name(note.kind)}, {"text", note.text}, {"count", note.count}});
      }
      text = document.dump(2) + "\n";
    } else if (!options.has("quiet")) {
      text = fmt::format("read as: {}\n{}\n", taken_for(guess, options), content);
      for (const TimelineNote& note : notes) {
        text += fmt::format("  {}: {} {}\n", note_kind_name(note.kind), note.count, note.text);
      }
      text += fmt::format("written: {}\n", target);
    }
    // With -o - standard output is the file itself.
    if (target == "-") {
      fmt::print(stderr, "{}", text);
    } else {
      print_text(text);
    }
  }

  static ExitCode import_routing(const std::string& source,
                                 const std::string& target,
                                 const FileGuess& guess,
                                 const ParsedOptions& options) {
    if (target == "-") {
      throw InvalidInput("routing is binary and large: it cannot go to standard output",
                         {"--output", ""},
                         "name a file");
    }
    const RoutingData routing =
        assigned(read_routing(source, guess, options.has("quiet"), options.texts("set")), options);
    if (const auto* trace = std::get_if<RoutingTrace>(&routing)) {
      write_trace(*trace, target, options.has("force"));
    } else {
      write_load(std::get<ExpertLoad>(routing), target, options.has("force"));
    }
    tell(options, guess, target, describe(routing));
    return ExitCode::Ok;
  }

  static ExitCode import_profile(const std::string& source,
                                 const std::string& target,
                                 const FileGuess& guess,
                                 const ParsedOptions& options) {
    if (target == "-") {
      throw InvalidInput("a timeline is a database: it cannot go to standard output",
                         {"--output", ""},
                         "name a file");
    }
    TimelineWriter writer(target, options.has("force"));
    read_timeline_file(source, guess, options.has("quiet"), writer, options.texts("set"));
    const TimelineTables& tables = writer.tables;
    std::string content = fmt::format("{} event{}, {} name{}, {} process{}",
                                      writer.event_count(),
                                      writer.event_count() == 1 ? "" : "s",
                                      tables.names.size(),
                                      tables.names.size() == 1 ? "" : "s",
                                      tables.processes.size(),
                                      tables.processes.size() == 1 ? "" : "es");
    if (!tables.summaries.empty() || !tables.timings.empty()) {
      content = fmt::format(
          "{} totals, {} timings of collectives", tables.summaries.size(), tables.timings.size());
    }
    const std::vector<TimelineNote> notes = tables.notes;
    writer.commit();
    tell(options, guess, target, content, notes);
    return ExitCode::Ok;
  }

  static ExitCode import_topology(const std::string& source,
                                  const std::string& target,
                                  const FileGuess& guess,
                                  const ParsedOptions& options) {
    const Fabric fabric = read_topology(source, guess);
    write_file(target, topology_to_json(fabric).dump(2) + "\n", options.has("force"));
    tell(options,
         guess,
         target,
         fmt::format("{} GPUs on {} nodes, {} devices, {} links",
                     fabric.rank_count(),
                     fabric.node_count(),
                     fabric.devices().size(),
                     fabric.links().size()));
    return ExitCode::Ok;
  }
};

const RegisterCommand<ImportCommand> kImport{
    "import", "turn a foreign routing, profile or topology file into a native one"};

}  // namespace
}  // namespace switchyard
