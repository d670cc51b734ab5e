// The stable keys of a result, each with its value: the one list that the JSON document, the CSV
// and SQLite tables and --fail-if all read. Names, formulas and units: docs/metrics.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "sim/replay/result.hpp"

namespace switchyard {

/// A cell: nothing (the trace's fidelity does not allow it), a whole number, a number or a text.
using MetricValue = std::variant<std::monostate, std::int64_t, double, std::string>;

struct Metric {
  std::string name;
  MetricValue value;
};

/// Keys of one layer: `dispatch_s` ... `collective_s`, in the documented order.
std::vector<Metric> layer_metrics(const SimulationResult& result, const LayerResult& layer);
/// The same keys over the whole run, and `step_s`, `straggler_rank`, `wait_s`.
std::vector<Metric> total_metrics(const SimulationResult& result);

/// A phase over the whole run, in the order of first appearance.
struct PhaseSum {
  std::string name;
  Lane lane = Lane::Compute;
  double time_s = 0;
  double bytes = 0;
  std::map<Bound, double> bound_s;  // of time_s, by what bound it

  /// What bound most of its time.
  [[nodiscard]] Bound bound() const;
};

std::vector<PhaseSum> phase_sums(const SimulationResult& result);

/// Name of a link of the result; empty for -1.
std::string link_name(const SimulationResult& result, std::int32_t link);
/// The slower of the two exchanges; null if the layer has neither.
const ExchangeResult* slower_exchange(const LayerResult& layer);

}  // namespace switchyard
