// `inspect`: what is in any file that Switchyard reads or writes; also exports topologies, since
// looking at a fabric as a picture is looking at it.
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/file_kind.hpp"
#include "cli/framework/catalogue.hpp"
#include "cli/framework/command.hpp"
#include "cli/inspection.hpp"
#include "cli/sample_trace.hpp"
#include "core/components/suggestion.hpp"
#include "core/files/json_file.hpp"
#include "topologies/topology_file.hpp"
#include "topologies/topology_format.hpp"

namespace switchyard {
namespace {

using nlohmann::ordered_json;

constexpr const char* kNativeExport = "json";

std::vector<std::string> export_formats() {
  std::vector<std::string> names{kNativeExport};
  const auto& registry = Registry<TopologyFormat>::instance();
  for (const std::string& name : registry.names()) {
    Parameters none(nlohmann::json::object(), {});
    if (registry.create(name, "topology format", none)->can_write()) {
      names.push_back(name);
    }
  }
  return names;
}

std::string exported(const Fabric& fabric, const std::string& format) {
  if (format == kNativeExport) {
    return topology_to_json(fabric).dump(2) + "\n";
  }
  const auto known = export_formats();
  if (std::find(known.begin(), known.end(), format) == known.end()) {
    throw InvalidInput("no topology can be exported as \"" + format + "\"",
                       {"--export", ""},
                       suggestion_hint(format, known));
  }
  Parameters none(nlohmann::json::object(), {});
  return Registry<TopologyFormat>::instance()
      .create(format, "topology format", none)
      ->write(fabric);
}

class InspectCommand final : public Command {
 public:
  [[nodiscard]] std::string usage() const override { return "FILE [OPTIONS]"; }

  [[nodiscard]] std::vector<std::string> examples() const override {
    return {"switchyard inspect my.trace --check",
            "switchyard inspect dgx_h100_8 --export dot -o node.dot"};
  }

  void declare(OptionTable& table) const override {
    table
        .argument("FILE",
                  "trace, counts, profile, topology (or a preset's name), result, scenario, or a "
                  "foreign format",
                  Values::path())
        .value(
            "from", "FORMAT", "its format, if the guess is wrong", Values::among(foreign_formats))
        .list("set", "NAME=VALUE", "a parameter of a foreign routing or profile format")
        .value("rules",
               "FILE",
               "of a profile: rules that recognise MoE phases (switchyard schema phase_rules)",
               Values::path())
        .flag("check", "read everything and validate it, row by row")
        .value("export",
               "FORMAT",
               "of a topology: print it in another format, such as dot or graphml",
               Values::among(export_formats));
    declare_json(table);
    declare_output(table, "write what is printed to FILE");
    declare_quiet(table);
    declare_verbose(table);
  }

  [[nodiscard]] ExitCode run(const ParsedOptions& options) const override {
    const std::string name = options.required("FILE", "what to inspect?");
    const FileGuess guess = guess_file(name, options.text("from"));
    if (const auto format = options.text("export")) {
      if (guess.kind != FileKind::Topology && guess.kind != FileKind::ForeignTopology) {
        throw InvalidInput("is no topology: only those can be exported", {name, ""});
      }
      write_output(options, exported(read_topology(name, guess), *format));
      return ExitCode::Ok;
    }
    Inspection inspection = inspect(name, guess, options);
    if (options.has("json")) {
      ordered_json document{{"file", name}, {"format", guess.format}};
      document.update(inspection.document);
      write_output(options, document.dump(2) + "\n");
      return ExitCode::Ok;
    }
    const std::string title =
        guess.format.empty() ? name : fmt::format("{} (read as {})", name, guess.format);
    write_output(options, title + "\n" + inspection.text);
    return ExitCode::Ok;
  }

 private:
  static Inspection inspect(const std::string& name,
                            const FileGuess& guess,
                            const ParsedOptions& options) {
    switch (guess.kind) {
      case FileKind::Routing:
      case FileKind::ForeignRouting:
        return routing(name, guess, options);
      case FileKind::Topology:
      case FileKind::ForeignTopology:
        // Reading a fabric checks all of it.
        return checked(inspect_topology(read_topology(name, guess)), options);
      case FileKind::Timeline:
      case FileKind::ForeignTimeline:
        return timeline(name, guess, options);
      case FileKind::ResultFile:
        return checked(inspect_result(read_result_store(name)), options);
      case FileKind::ResultDocument:
        return checked(inspect_result_document(read_json_file(name), {name, ""}), options);
      default:
        return scenario(name, options);
    }
  }

  static Inspection checked(Inspection inspection, const ParsedOptions& options) {
    if (options.has("check")) {
      inspection.document["is_valid"] = true;  // or an error would have been thrown
      inspection.text += "\ncheck: valid\n";
    }
    return inspection;
  }

  static Inspection routing(const std::string& name,
                            const FileGuess& guess,
                            const ParsedOptions& options) {
    const RoutingData data = read_routing(name, guess, options.has("quiet"), options.texts("set"));
    if (const auto* trace = std::get_if<RoutingTrace>(&data);
        trace != nullptr && options.has("check")) {
      trace->check_rows();
    }
    return checked(inspect_routing(data, options.has("verbose")), options);
  }

  static Inspection timeline(const std::string& name,
                             const FileGuess& guess,
                             const ParsedOptions& options) {
    const auto file = options.text("rules");
    const PhaseRules rules = file ? PhaseRules::load(*file) : PhaseRules::defaults();
    EventTimeline read;
    read_timeline_file(name, guess, options.has("quiet"), read, options.texts("set"));
    // Reading a timeline checks all of it.
    return checked(inspect_timeline(read, rules), options);
  }

  static Inspection scenario(const std::string& name, const ParsedOptions& options) {
    const nlohmann::json document = read_json_file(name);
    ordered_json shown{{"kind", "scenario"}};
    if (options.has("check")) {
      const Scenario loaded = load_scenario_with_samples(document, {name, ""});
      shown["scenario_hash"] = loaded.hash;
      shown["resolved"] = nlohmann::json::parse(loaded.resolved_json);
    } else {
      shown["given"] = document;
    }
    const std::string text = "scenario" + std::string(options.has("check") ? ", resolved" : "") +
                             "\n" + shown.dump(2) + "\n";
    return checked({shown, text}, options);
  }
};

const RegisterCommand<InspectCommand> kInspect{"inspect", "show what is in any file"};

}  // namespace
}  // namespace switchyard
