// How often tokens change GPU and node on their way through the layers: ExFlow's measure of a
// placement.
#pragma once

#include <vector>

#include "sim/replay/scenario.hpp"

namespace switchyard {

struct CrossingReport {
  std::int64_t tokens = 0;    // (token, step) followed from the first layer to the last, mean
  double per_token = 0;       // changes of GPU in one pass through all layers
  double node_per_token = 0;  // of them, changes of node
  double memoryless = 0;      // changes of GPU if a token went anywhere alike: (L - 1)(1 - 1/G)
  /// Between layers l and l + 1, share of tokens that change GPU, [layers - 1].
  std::vector<double> by_layer;

  /// ExFlow's evaluation: a change of node counts twice.
  [[nodiscard]] double weighted() const { return per_token + node_per_token; }
};

/// Follows the main expert of every token through the scenario's placement (of its last epoch).
/// Throws as count_transitions does, and MissingCapability for counts or a placement with replicas.
CrossingReport report_crossings(const Scenario& scenario);

}  // namespace switchyard
