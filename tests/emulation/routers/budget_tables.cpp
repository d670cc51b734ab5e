#include "tests/emulation/routers/budget_tables.hpp"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/support/folders.hpp"

namespace switchyard {

std::vector<std::vector<std::string>> budget_rows(const std::string& path) {
  std::ifstream file(testing::source_folder() / path);
  EXPECT_TRUE(file) << path;
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') {
      continue;
    }
    std::istringstream cells(line);
    auto& row = rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, ',');) {
      row.push_back(cell);
    }
  }
  return rows;
}

}  // namespace switchyard
