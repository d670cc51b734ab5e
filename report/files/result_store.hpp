// The result file: one SQLite database per study, which DuckDB, pandas and Datasette open as it is
// (tables: docs/results.md).
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "report/files/result_tables.hpp"

namespace switchyard {

/// Writes a study of one point. Appears whole or not at all. Throws InvalidInput.
void write_result_store(const SimulationResult& result,
                        const std::filesystem::path& path,
                        bool overwrite);

/// What `inspect` shows of a result file: rows of `point` and `metric`, and every table's size.
struct StoredResult {
  std::int64_t format_version = 0;
  std::string program_version;
  std::vector<Metric> point;    // columns of the first point
  std::vector<Metric> metrics;  // name and value
  std::vector<std::pair<std::string, std::int64_t>> row_counts;
};

/// Throws InvalidInput if the file is no result of ours, is damaged, or is of a newer format.
StoredResult read_result_store(const std::filesystem::path& path);

}  // namespace switchyard
