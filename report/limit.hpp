// `--fail-if "rank_imbalance > 1.5"`: a limit on any stable key of a result, for use in scripts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/metrics.hpp"

namespace switchyard {

struct Limit {
  enum class Comparison { Above, AtLeast, Below, AtMost };

  std::string text;    // as given
  std::string metric;  // a key of total_metrics(), or "imbalance" (the larger of the two)
  Comparison comparison = Comparison::Above;
  double bound = 0;  // SI units

  [[nodiscard]] bool is_broken_by(double value) const;
};

/// Reads "METRIC > NUMBER" (also >=, <, <=). The number may carry a unit that fits the key:
/// "step_s > 5ms", "inter_node_bytes > 1GiB". Throws InvalidInput, with the nearest key.
Limit parse_limit(std::string_view text);

/// The same with the keys of something else than a simulation.
Limit parse_limit(std::string_view text, const std::vector<std::string>& keys);

/// The sentence to print when the result breaks the limit, or an empty text. Throws
/// MissingCapability when the trace's fidelity does not allow the metric.
std::string broken_limit(const Limit& limit, const SimulationResult& result);

}  // namespace switchyard
