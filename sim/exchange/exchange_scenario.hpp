// One all-to-all on its own: a machine, an algorithm and a network, without trace or model.
#pragma once

#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "profiler/calibration/calibration_file.hpp"
#include "sim/all_to_all.hpp"
#include "sim/network/network.hpp"
#include "topologies/fabric.hpp"

namespace switchyard {

struct ExchangeScenario {
  std::shared_ptr<const Fabric> fabric;
  std::shared_ptr<const AllToAll> all_to_all;
  std::shared_ptr<const Network> network;
  NetworkOptions network_options;
  std::shared_ptr<const Calibration> calibration;  // null = none
};

/// Reads "topology", "all_to_all" (one algorithm), "network" and "calibration" of a scenario
/// document, with the defaults of one. Throws InvalidInput for mistakes, and for any other section:
/// a plain matrix has no tokens that placement or capacity could act on.
ExchangeScenario load_exchange_scenario(const nlohmann::json& document, const Location& where);

}  // namespace switchyard
