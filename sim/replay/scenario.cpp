// Parse, validate whole, then build: no component is constructed from a document that the schema
// refuses.
#include "sim/replay/scenario.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <xxhash.h>

#include "core/components/embedded.hpp"
#include "core/components/schema.hpp"
#include "core/files/json_file.hpp"
#include "sim/replay/component_section.hpp"
#include "sim/replay/network_options.hpp"
#include "topologies/topology_file.hpp"
#include "traces/files/trace_file.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

constexpr const char* kSchemaPath = "sim/schema/scenario.schema.json";
constexpr const char* kDefaultNetwork = "fluid";

class Loader {
 public:
  Loader(const json& document, Location where) : where_(std::move(where)) {
    document_ = default_scenario_document();
    if (document.is_object() && document.contains("all_to_all")) {
      document_.erase("all_to_all");  // one algorithm for both does not merge with a pair
    }
    document_.merge_patch(document);
    check_schema(document_, parse_json(embedded_file(kSchemaPath), {kSchemaPath, ""}), where_);
  }

  Scenario load(std::shared_ptr<const RoutingData> routing) {
    read_trace(std::move(routing));
    read_topology();
    read_costs();
    read_components();
    scenario_.seed = document_["seed"].get<std::uint64_t>();
    scenario_.resolved_json = document_.dump();
    scenario_.hash = fmt::format(
        "{:016x}", XXH3_64bits(scenario_.resolved_json.data(), scenario_.resolved_json.size()));
    return std::move(scenario_);
  }

 private:
  [[nodiscard]] Location at(const std::string& key) const { return where_.child(key); }

  void read_trace(std::shared_ptr<const RoutingData> routing) {
    json& trace = document_["trace"];
    if (trace.is_string()) {
      trace = {{"path", trace}};
    }
    const std::string path = trace.value("path", "");
    if (!routing && path.empty()) {
      throw InvalidInput("no trace is named",
                         at("trace"),
                         "pass --trace FILE (make one with switchyard route or import)");
    }
    scenario_.routing =
        routing ? std::move(routing) : std::make_shared<const RoutingData>(open_routing(path));
    const std::string rule = trace.value("assign_ranks", "recorded");
    scenario_.rank_rule = parse_rank_rule(rule, at("trace").child("assign_ranks"));
    trace["assign_ranks"] = rule;
  }

  void read_topology() {
    const json& topology = document_["topology"];
    scenario_.fabric = std::make_shared<const Fabric>(
        topology.is_string() ? load_topology(topology.get<std::string>())
                             : fabric_from_json(topology, at("topology")));
    const std::size_t available = scenario_.fabric->rank_count();
    const auto wanted = document_["ranks"].get<std::size_t>();
    if (wanted > available) {
      throw InvalidInput(fmt::format("{} ranks do not fit on the {} GPUs of {}",
                                     wanted,
                                     available,
                                     scenario_.fabric->name()),
                         at("ranks"),
                         "choose a larger topology (switchyard list topologies)");
    }
    Parameters parallel(document_["parallel"], at("parallel"));
    // Without a number, the copies of the group share all GPUs.
    const auto copies = copies_of(document_["parallel"]);
    scenario_.ranks = wanted == 0 ? std::max<std::size_t>(1, available / copies) : wanted;
    document_["ranks"] = scenario_.ranks;
    scenario_.groups = read_parallel_groups(parallel, scenario_.ranks, available);
    document_["parallel"] = parallel.resolved();
  }

  // Data x pipeline of a section that is not checked yet.
  static std::size_t copies_of(const json& parallel) {
    std::size_t copies = 1;
    for (const char* key : {"data", "pipeline"}) {
      const bool is_count = parallel.is_object() && parallel.contains(key) &&
                            parallel[key].is_number_unsigned() && parallel[key] < (1U << 20U);
      copies *= is_count ? std::max<std::size_t>(1, parallel[key].get<std::size_t>()) : 1;
    }
    return copies;
  }

  void read_costs() {
    json resolved;
    scenario_.model = read_model(
        document_["model"], metadata_of(*scenario_.routing).model, at("model"), resolved);
    document_["model"] = resolved;
    Parameters wire(document_["wire"], at("wire"));
    scenario_.token_bytes = read_token_bytes(wire, scenario_.model);
    document_["wire"] = wire.resolved();
    Parameters compute(document_["compute"], at("compute"));
    scenario_.other_work.attention = compute.get_duration(
        "attention_per_token", Seconds{0}, "per token and layer, before the experts");
    scenario_.other_work.other = compute.get_duration(
        "other_per_token", Seconds{0}, "norms, router, permutation ... per token and layer");
    scenario_.device = read_device(compute, scenario_.model.dtype);
    document_["compute"] = compute.resolved();
  }

  void read_components() {
    const json use =
        take_placement_use(document_["placement"], at("placement"), scenario_.placement_use);
    scenario_.placement =
        build_component<PlacementRule>(document_["placement"], "placement", at("placement"));
    document_["placement"].update(use);
    scenario_.capacity =
        build_component<CapacityPolicy>(document_["capacity"], "capacity policy", at("capacity"));
    json& exchange = document_["all_to_all"];
    if (exchange.is_string() || exchange.contains("name")) {
      exchange = {{"dispatch", exchange}, {"combine", exchange}};
    }
    const Location place = at("all_to_all");
    for (const char* direction : {"dispatch", "combine"}) {
      if (!exchange.contains(direction)) {
        exchange[direction] = "direct";
      }
    }
    scenario_.dispatch = build_component<AllToAll>(
        exchange["dispatch"], "all-to-all algorithm", place.child("dispatch"));
    scenario_.combine = build_component<AllToAll>(
        exchange["combine"], "all-to-all algorithm", place.child("combine"));
    scenario_.schedule =
        build_component<LayerSchedule>(document_["schedule"], "layer schedule", at("schedule"));
    scenario_.overlap = build_component<Overlap>(document_["overlap"], "overlap", at("overlap"));
    const auto pass = document_["pass"].get<std::string>();
    scenario_.pass = pass == "forward"    ? Pass::Forward
                     : pass == "backward" ? Pass::Backward
                                          : Pass::Training;
    read_network();
    read_calibration_file();
  }

  // The scenario's own, else the one its topology names.
  void read_calibration_file() {
    std::string path = document_.value("calibration", "");
    if (path.empty()) {
      path = scenario_.fabric->calibration();
    }
    if (!path.empty()) {
      scenario_.calibration = std::make_shared<const Calibration>(load_calibration(path));
      scenario_.calibration_path = path;
      document_["calibration"] = path;
    }
  }

  void read_network() {
    json values = section_as_object(document_["network"]);
    const std::string name = values.value("name", kDefaultNetwork);
    values.erase("name");
    Parameters none(json::object(), at("network"));
    scenario_.network =
        Registry<Network>::instance().create(name, "network", none, at("network").child("name"));
    scenario_.network_name = name;
    Parameters parameters(values, at("network"));
    scenario_.network_options = read_network_options(parameters);
    parameters.finish();
    const std::size_t offsets = scenario_.network_options.start_offsets.size();
    if (offsets != 0 && offsets != scenario_.ranks) {
      throw InvalidInput(fmt::format("{} start offsets for {} ranks", offsets, scenario_.ranks),
                         at("network").child("start_offsets"));
    }
    document_["network"] = parameters.resolved();
    document_["network"]["name"] = name;
  }

  Location where_;
  json document_;
  Scenario scenario_;
};

// What a section that is just a name would call it if it were an object.
const char* name_key(const std::string& section) {
  return section == "model" ? "preset" : section == "trace" ? "path" : "name";
}

}  // namespace

json default_scenario_document() {
  return {{"format_version", 1},
          {"trace", json::object()},
          {"topology", "dgx_h100_8"},
          {"ranks", 0},
          {"model", json::object()},
          {"wire", json::object()},
          {"compute", json::object()},
          {"placement", "contiguous"},
          {"capacity", "dropless"},
          {"all_to_all", {{"dispatch", "direct"}, {"combine", "direct"}}},
          {"schedule", "two_all_to_all"},
          {"overlap", "none"},
          {"pass", "forward"},
          {"parallel", json::object()},
          {"network", {{"name", kDefaultNetwork}}},
          {"seed", 0}};
}

void apply_setting(json& document, const std::string& setting) {
  const Location where{"--set", ""};
  const std::size_t equals = setting.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw InvalidInput(fmt::format("\"{}\" is not a setting", setting),
                       where,
                       "write path=value, such as capacity.factor=1.5");
  }
  json* place = &document;
  std::string section;
  std::string path = setting.substr(0, equals) + ".";
  while (!path.empty()) {
    const std::size_t dot = path.find('.');
    const std::string key = path.substr(0, dot);
    path.erase(0, dot + 1);
    const bool is_index = !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
      return std::isdigit(c) != 0;
    });
    if (place->is_array() && is_index && std::stoul(key) <= place->size()) {
      place = &(*place)[std::stoul(key)];
      continue;
    }
    if (place->is_string()) {  // "capacity=drop" first, "capacity.factor=1" later
      *place = json{{name_key(section), *place}};
    }
    if (key.empty() || !(place->is_object() || place->is_null())) {
      throw InvalidInput(fmt::format("\"{}\" leads nowhere in the scenario", setting),
                         where,
                         "see switchyard schema scenario");
    }
    place = &(*place)[key];
    section = key;
  }
  const std::string text = setting.substr(equals + 1);
  const json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  *place = value.is_discarded() ? json(text) : value;
}

Scenario load_scenario(const json& document,
                       const Location& where,
                       std::shared_ptr<const RoutingData> routing) {
  return Loader(document, where).load(std::move(routing));
}

}  // namespace switchyard
