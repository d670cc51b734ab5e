// Applies a calibration file to an exchange: what its model needs to know of the exchange, and the
// realism terms of the network that follow.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "profiler/calibration/calibration_file.hpp"
#include "sim/all_to_all.hpp"
#include "sim/network/network.hpp"
#include "topologies/fabric.hpp"

namespace switchyard {

/// What neither schedule nor exchange knows.
struct ExchangeContext {
  double experts = 0;
  double sms = 0;
};

/// Features of one exchange: bytes through the busiest GPU port and NIC by the fabric's routes,
/// and what
/// the SMs copy. A dispatch that sends a message per expert stages each
/// token once (it casts it once and reads it k times); every other kernel stages each copy.
ExchangeFeatures exchange_features(const Fabric& fabric,
                                   const AllToAll& algorithm,
                                   const Exchange& exchange,
                                   const Schedule& schedule,
                                   const ExchangeContext& context);

/// `options` with start-up, overlap and the rates of all GPU ports and NICs set for this exchange.
NetworkOptions calibrated_options(const NetworkOptions& options,
                                  const ModelConstants& constants,
                                  const ExchangeFeatures& features,
                                  const Fabric& fabric);

/// What of an all-to-all algorithm a calibration depends on, from its resolved section of a
/// scenario: "node_dedup", "direct once_per_rank".
std::string algorithm_key(const nlohmann::json& section);
/// How a run's algorithm differs from the one whose kernel was fitted: "dispatch by pairwise
/// (fitted direct)". Empty if it does not, or the calibration does not say.
std::string other_algorithm(const CalibrationEntry& entry,
                            const std::string& resolved_scenario,
                            Direction direction);

}  // namespace switchyard
