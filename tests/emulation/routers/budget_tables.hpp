// The committed tables of counters: what tests/emulation/routers/*_budgets.csv and their kind hold.
#pragma once

#include <string>
#include <vector>

namespace switchyard {

/// The rows of a table, path from the root of the sources, split at commas; '#' starts a comment
/// line. Fails the running test if there is no such file.
std::vector<std::vector<std::string>> budget_rows(const std::string& path);

}  // namespace switchyard
