#include "cli/scenario_options.hpp"

#include <array>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "cli/file_kind.hpp"
#include "cli/framework/catalogue.hpp"
#include "cli/framework/command.hpp"
#include "cli/sample_trace.hpp"
#include "core/files/json_file.hpp"
#include "sim/replay/scenario.hpp"
#include "topologies/topology_file.hpp"
#include "topologies/topology_format.hpp"
#include "traces/rank_assignment.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

constexpr std::int64_t kMostRanks = 1'000'000;

std::vector<std::string> rank_rules() {
  return {"recorded", "contiguous", "round_robin", "by_sequence"};
}

std::vector<std::string> passes() {
  return {"forward", "backward", "training"};
}

// A preset's name or a JSON file stays a name; another program's file becomes an explicit document.
json topology_setting(const std::string& name) {
  std::error_code problem;
  const std::filesystem::path path(name);
  if (path.extension() == ".json" || !std::filesystem::is_regular_file(path, problem)) {
    return name;
  }
  const auto& formats = Registry<TopologyFormat>::instance();
  for (const std::string& format_name : formats.names()) {
    Parameters none(json::object(), {});
    const auto format = formats.create(format_name, "topology format", none);
    if (format->can_read() && format->recognises(path)) {
      return topology_to_json(format->read(path));
    }
  }
  return name;
}

struct NamedSetting {
  const char* option;
  const char* key;
};

constexpr std::array<NamedSetting, 7> kNames{{{"all-to-all", "all_to_all"},
                                              {"schedule", "schedule"},
                                              {"overlap", "overlap"},
                                              {"pass", "pass"},
                                              {"placement", "placement"},
                                              {"capacity", "capacity"},
                                              {"model", "model"}}};

// The likeliest slip: the trace given as if it were the scenario.
void refuse_traces(const std::string& file, const std::string& noun) {
  std::error_code problem;
  if (!is_sample_name(file) && !std::filesystem::is_regular_file(file, problem)) {
    return;  // standard input, or for the reader to complain about
  }
  const FileKind kind = guess_file(file, std::nullopt).kind;
  if (kind == FileKind::Routing || kind == FileKind::ForeignRouting) {
    throw InvalidInput("is routing, not " + noun, {file, ""}, "pass it with --trace " + file);
  }
}

}  // namespace

void declare_scenario(OptionTable& table) {
  table.value("trace", "FILE", "routing trace or expert counts, native format", Values::path())
      .value("topology",
             "NAME|FILE",
             "preset (switchyard list topologies) or file: JSON, GraphML, NCCL XML ...",
             names_of("topologies"))
      .value("ranks", "N", "GPUs of the expert-parallel group; default: all of the topology")
      .value("assign-ranks",
             "RULE",
             "where tokens sit if the trace does not say: contiguous, round_robin, by_sequence",
             Values::among(rank_rules))
      .value("model", "NAME", "sizes of the model, if the trace lacks them", names_of("models"))
      .value("placement", "NAME", "which rank holds which expert", names_of("placements"))
      .value("capacity", "NAME", "what happens to a full expert's tokens", names_of("capacities"))
      .value("all-to-all", "NAME", "order of the transfers", names_of("all_to_all"))
      .value("schedule", "NAME", "what happens in a layer", names_of("schedules"))
      .value("overlap", "NAME", "what of it runs at once", names_of("overlaps"))
      .value("pass", "WHICH", "forward, backward, or training (both)", Values::among(passes))
      .value("network", "NAME", "how transfers are timed", names_of("networks"))
      .value("calibration",
             "NAME|FILE",
             "fitted constants (switchyard list calibrations), or what switchyard calibrate wrote",
             names_of("calibrations"))
      .list("set", "PATH=VALUE", "any field of the scenario: --set capacity.factor=1.5");
  declare_seed(table);
}

json scenario_argument(const ParsedOptions& options, const std::string& noun) {
  const auto file = options.text("SCENARIO");
  if (!file) {
    return json::object();
  }
  refuse_traces(*file, noun);
  json document = read_json_file(*file);
  if (!document.is_object()) {
    throw InvalidInput("is not " + noun + ": wanted a JSON object", {*file, ""});
  }
  return document;
}

void apply_scenario_options(json& document, const ParsedOptions& options) {
  const auto object_at = [&](const char* key) -> json& {
    json& section = document[key];
    if (!section.is_object()) {
      section = json::object();
    }
    return section;
  };
  if (const auto trace = options.text("trace")) {
    // A scenario's "trace" may be just the path.
    const json rule = document.contains("trace") && document["trace"].is_object()
                          ? document["trace"].value("assign_ranks", json())
                          : json();
    object_at("trace")["path"] = *trace;
    if (!rule.is_null()) {
      document["trace"]["assign_ranks"] = rule;
    }
  }
  if (const auto rule = options.text("assign-ranks")) {
    if (document.contains("trace") && document["trace"].is_string()) {
      document["trace"] = {{"path", document["trace"]}};
    }
    object_at("trace")["assign_ranks"] =
        rank_rule_name(parse_rank_rule(*rule, {"--assign-ranks", ""}));
  }
  if (const auto topology = options.text("topology")) {
    document["topology"] = topology_setting(*topology);
  }
  if (const auto ranks = options.integer("ranks", {1, kMostRanks})) {
    document["ranks"] = *ranks;
  }
  for (const NamedSetting& setting : kNames) {
    if (const auto name = options.text(setting.option)) {
      document[setting.key] = *name;
    }
  }
  if (const auto network = options.text("network")) {
    object_at("network")["name"] = *network;
  }
  if (const auto calibration = options.text("calibration")) {
    document["calibration"] = *calibration;
  }
  if (const auto seed = seed_of(options)) {
    document["seed"] = *seed;
  }
  for (const std::string& setting : options.texts("set")) {
    apply_setting(document, setting);
  }
}

}  // namespace switchyard
