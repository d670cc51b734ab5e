#include "profiler/measurements/gemm_table.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include <fmt/format.h>

#include "core/files/csv_line.hpp"
#include "core/files/text_reader.hpp"
#include "profiler/measurements/measurement_tables.hpp"

namespace switchyard {
namespace {

constexpr std::array kGemmColumns{"device",
                                  "software",
                                  "model",
                                  "experts",
                                  "hidden",
                                  "expert_hidden",
                                  "tokens",
                                  "rows_of_experts",
                                  "up_us",
                                  "down_us"};
constexpr double kMicrosecond = 1e-6;

std::vector<std::string> header_of(TextReader& reader) {
  std::string_view line;
  return reader.next(line) ? require_csv_fields(line, reader.where()) : std::vector<std::string>{};
}

std::vector<std::int64_t> counts_of(const TableRow& row) {
  std::istringstream text(row.text("rows_of_experts"));
  std::vector<std::int64_t> counts;
  for (std::int64_t count = 0; text >> count;) {
    counts.push_back(count);
  }
  const std::int64_t experts = row.integer("experts");
  const bool is_whole = text.eof() && std::ssize(counts) == experts;
  if (!is_whole || std::ranges::any_of(counts, [](auto count) { return count < 0; }) ||
      std::ranges::max(counts, {}, [](auto count) { return count; }) == 0) {
    throw InvalidInput(
        fmt::format("rows_of_experts must be {} counts, one above 0 among them", experts),
        row.where(),
        "whole numbers with spaces between");
  }
  return counts;
}

GemmMeasurement measurement_of(const TableRow& row) {
  GemmMeasurement measured{.device = row.text("device"),
                           .software = row.text("software"),
                           .model = row.text("model"),
                           .hidden = row.integer("hidden"),
                           .expert_hidden = row.integer("expert_hidden"),
                           .tokens = row.integer("tokens"),
                           .rows = counts_of(row),
                           .seconds = kMicrosecond * (row.number("up_us") + row.number("down_us")),
                           .where = row.where()};
  if (measured.seconds <= 0 || measured.hidden == 0 || measured.expert_hidden == 0) {
    throw InvalidInput(
        "times and widths must be above 0", row.where(), "leave out layers that were not timed");
  }
  return measured;
}

}  // namespace

bool is_gemm_table(const std::filesystem::path& path) {
  try {
    TextReader reader(path);
    const std::vector<std::string> header = header_of(reader);
    return std::ranges::find(header, "rows_of_experts") != header.end();
  } catch (const InvalidInput&) {
    return false;  // whoever reads it next says why
  }
}

std::vector<GemmMeasurement> read_gemm_table(const std::filesystem::path& path) {
  TextReader reader(path);
  const std::vector<std::string> header = header_of(reader);
  for (const char* const column : kGemmColumns) {
    if (std::ranges::find(header, column) == header.end()) {
      throw InvalidInput(fmt::format("missing column: {}", column),
                         reader.where(),
                         "units are part of the names (docs/file_formats.md, Measurements)");
    }
  }
  std::vector<GemmMeasurement> rows;
  for (std::string_view line; reader.next(line);) {
    const std::vector<std::string> fields = require_csv_fields(line, reader.where());
    if (fields.size() != header.size()) {
      throw InvalidInput(fmt::format("{} fields under {} columns", fields.size(), header.size()),
                         reader.where());
    }
    std::map<std::string, std::string> named;
    for (std::size_t i = 0; i < header.size(); ++i) {
      named[header[i]] = fields[i];
    }
    rows.push_back(measurement_of(TableRow(named, reader.where())));
  }
  if (rows.empty()) {
    throw InvalidInput("holds no measured GEMMs",
                       {path.string(), ""},
                       "docs/validation/expert_gemm.py writes such a table on a GPU");
  }
  return rows;
}

}  // namespace switchyard
