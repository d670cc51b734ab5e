// `simulate --json`: the document whose keys stay stable (docs/results.md).
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "report/metrics.hpp"

namespace switchyard {

inline constexpr int kResultFormatVersion = 1;

/// The whole result; SI units, the suffix of each key names its unit; null where the trace's
/// fidelity does not allow the metric.
nlohmann::ordered_json result_to_json(const SimulationResult& result);
/// A metric's value; nothing becomes null.
nlohmann::ordered_json json_value(const MetricValue& value);

}  // namespace switchyard
