// The tables of a result as one CSV file each, for spreadsheets, pandas and DuckDB.
#pragma once

#include <filesystem>

#include "report/files/result_tables.hpp"

namespace switchyard {

/// Throws InvalidInput unless write_result_csv(folder) could work: called before the simulation.
void check_csv_folder(const std::filesystem::path& folder, bool overwrite);
/// Writes <table>.csv for every table; makes the folder if its parent exists.
void write_result_csv(const SimulationResult& result,
                      const std::filesystem::path& folder,
                      bool overwrite);

}  // namespace switchyard
