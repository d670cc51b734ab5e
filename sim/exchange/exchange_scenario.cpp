#include "sim/exchange/exchange_scenario.hpp"

#include <nlohmann/json.hpp>

#include "sim/replay/component_section.hpp"
#include "sim/replay/network_options.hpp"
#include "sim/replay/scenario.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

void refuse_other_sections(const json& document, const Location& where) {
  for (const auto& [key, value] : document.items()) {
    if (key != "format_version" && key != "topology" && key != "all_to_all" && key != "network" &&
        key != "seed" && key != "calibration") {
      throw InvalidInput("a plain matrix has no " + key,
                         where.child(key),
                         "only the topology, the all-to-all algorithm and the network matter");
    }
  }
}

}  // namespace

ExchangeScenario load_exchange_scenario(const json& document, const Location& where) {
  refuse_other_sections(document, where);
  json whole = default_scenario_document();
  whole.merge_patch(document);
  ExchangeScenario scenario;
  const json& topology = whole["topology"];
  scenario.fabric = std::make_shared<const Fabric>(
      topology.is_string() ? load_topology(topology.get<std::string>())
                           : fabric_from_json(topology, where.child("topology")));
  json algorithm = whole["all_to_all"];
  if (algorithm.is_object() && algorithm.contains("dispatch") && !algorithm.contains("name")) {
    algorithm = algorithm["dispatch"];
  } else if (algorithm.is_object()) {
    algorithm.erase("dispatch");  // the default document's, under a chosen name
    algorithm.erase("combine");
  }
  scenario.all_to_all =
      build_component<AllToAll>(algorithm, "all-to-all algorithm", where.child("all_to_all"));
  json values = section_as_object(whole["network"]);
  json name = {{"name", values.value("name", "fluid")}};
  values.erase("name");
  scenario.network = build_component<Network>(name, "network", where.child("network"));
  Parameters parameters(values, where.child("network"));
  scenario.network_options = read_network_options(parameters);
  parameters.finish();
  std::string calibration = whole.value("calibration", "");
  calibration = calibration.empty() ? scenario.fabric->calibration() : calibration;
  if (!calibration.empty()) {
    scenario.calibration = std::make_shared<const Calibration>(load_calibration(calibration));
  }
  return scenario;
}

}  // namespace switchyard
