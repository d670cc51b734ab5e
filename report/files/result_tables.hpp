// A result as relational tables: the one definition behind the SQLite file and the CSV folder, so
// that both hold the same rows under the same names (docs/results.md).
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "report/metrics.hpp"

namespace switchyard {

struct ResultColumn {
  std::string name;
  std::string type;  // SQLite's: INTEGER, REAL, TEXT
};

struct ResultTable {
  using Row = std::vector<MetricValue>;  // one value per column

  std::string name;
  std::vector<ResultColumn> columns;
  /// Calls the function with each row, in order; rows are made on the way, not stored.
  std::function<void(const std::function<void(const Row&)>&)> each_row;
};

/// study, point, parameter, metric, layer, link, expert, rank, event, note. The tables refer to
/// `result`, which must outlive them.
std::vector<ResultTable> result_tables(const SimulationResult& result);

}  // namespace switchyard
