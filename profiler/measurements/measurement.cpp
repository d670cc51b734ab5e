#include "profiler/measurements/measurement.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "core/components/suggestion.hpp"
#include "core/files/csv_line.hpp"
#include "core/files/text_reader.hpp"
#include "profiler/measurements/measurement_tables.hpp"
#include "profiler/measurements/timeline_measurements.hpp"

namespace switchyard {
namespace {

/// The format whose columns are all there; else a complaint about the format that is nearest.
const TableFormat& format_of(const std::vector<std::string>& header, const Location& where) {
  const TableFormat* nearest = nullptr;
  std::vector<std::string> least(1000);
  for (const TableFormat& format : table_formats()) {
    std::vector<std::string> missing;
    for (const std::string_view column : format.columns) {
      if (std::ranges::find(header, column) == header.end()) {
        missing.emplace_back(column);
      }
    }
    if (missing.empty()) {
      return format;
    }
    if (missing.size() < least.size()) {
      least = missing;
      nearest = &format;
    }
  }
  if (least.size() == nearest->columns.size()) {
    throw InvalidInput("is no table of measurements",
                       where,
                       "the first line must name the columns (docs/file_formats.md)");
  }
  throw InvalidInput(fmt::format("missing columns: {}", fmt::join(least, ", ")),
                     where,
                     fmt::format("looks like {}; units are part of the names", nearest->name));
}

/// The common names of what every row knows, so that one --select works for all tables.
void add_common_names(Measurement& row) {
  const auto add = [&](const char* name, std::int64_t value) {
    row.columns.emplace(name, std::to_string(value));
  };
  row.columns.emplace("op", row.operation);
  add("ep_size", row.ranks);
  add("nodes", row.nodes);
  add("tokens_per_rank", row.tokens);
  add("hidden", row.hidden);
  add("topk", row.top_k);
  add("num_experts", row.experts);
  add("num_sms", row.sms);
  add("message_bytes", row.message_bytes);
}

struct ColumnIsValue {
  std::string column;
  std::string value;
};

ColumnIsValue parse_condition(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw InvalidInput(fmt::format("\"{}\" does not select rows", text),
                       {},
                       "write column=value, such as op=combine_low_latency");
  }
  return {.column = text.substr(0, equals), .value = text.substr(equals + 1)};
}

}  // namespace

std::string_view exchange_kind_name(ExchangeKind kind) {
  switch (kind) {
    case ExchangeKind::AllToAll:
      return "all_to_all";
    case ExchangeKind::LowLatencyDispatch:
      return "low_latency_dispatch";
    case ExchangeKind::LowLatencyCombine:
      return "low_latency_combine";
    case ExchangeKind::NormalDispatch:
      return "normal_dispatch";
    case ExchangeKind::NormalCombine:
      return "normal_combine";
    case ExchangeKind::NvlinkDispatch:
      return "nvlink_dispatch";
    case ExchangeKind::NvlinkCombine:
      return "nvlink_combine";
  }
  throw InternalError("an exchange kind without a name");
}

bool is_combine(ExchangeKind kind) {
  return kind == ExchangeKind::LowLatencyCombine || kind == ExchangeKind::NormalCombine ||
         kind == ExchangeKind::NvlinkCombine;
}

MeasurementTable read_measurements(const std::filesystem::path& path,
                                   const MeasurementDefaults& defaults) {
  MeasurementTable table;
  if (is_measured_timeline(path)) {
    table = read_timeline_measurements(path, defaults);
    std::ranges::for_each(table.rows, add_common_names);
  } else {
    TextReader reader(path);
    std::string_view line;
    if (!reader.next(line)) {
      throw InvalidInput("is empty", {path.string(), ""});
    }
    const std::vector<std::string> header = require_csv_fields(line, reader.where());
    const TableFormat& format = format_of(header, reader.where());
    while (reader.next(line)) {
      if (line.empty()) {
        continue;
      }
      const std::vector<std::string> fields = require_csv_fields(line, reader.where());
      std::map<std::string, std::string> named;
      // Publishers leave out empty fields at the end of a line.
      for (std::size_t i = 0; i < header.size(); ++i) {
        named[header[i]] = i < fields.size() ? fields[i] : "";
      }
      if (fields.size() > header.size()) {
        throw InvalidInput(fmt::format("{} fields under {} columns", fields.size(), header.size()),
                           reader.where());
      }
      auto rows = format.rows(TableRow(named, reader.where()), defaults);
      table.skipped += rows.empty() ? 1 : 0;
      for (Measurement& row : rows) {
        add_common_names(row);
        table.rows.push_back(std::move(row));
      }
    }
  }
  if (table.rows.empty()) {
    throw InvalidInput("holds no measured all-to-all", {path.string(), ""});
  }
  return table;
}

std::vector<Measurement> select_rows(const std::vector<Measurement>& rows,
                                     const std::string& column_is_value) {
  const ColumnIsValue wanted = parse_condition(column_is_value);
  std::vector<Measurement> selected;
  std::set<std::string> columns;
  std::set<std::string> values;
  for (const Measurement& row : rows) {
    for (const auto& [name, text] : row.columns) {
      columns.insert(name);
    }
    const auto found = row.columns.find(wanted.column);
    if (found != row.columns.end()) {
      values.insert(found->second);
      if (found->second == wanted.value) {
        selected.push_back(row);
      }
    }
  }
  if (!columns.contains(wanted.column)) {
    const std::vector<std::string> known(columns.begin(), columns.end());
    throw InvalidInput(fmt::format("no row has a column \"{}\"", wanted.column),
                       {},
                       suggestion_hint(wanted.column, known));
  }
  if (selected.empty()) {
    const std::vector<std::string> known(values.begin(), values.end());
    throw InvalidInput(fmt::format("no row has {} = \"{}\"", wanted.column, wanted.value),
                       {},
                       suggestion_hint(wanted.value, known));
  }
  return selected;
}

void require_usable(const std::vector<Measurement>& rows) {
  for (const Measurement& row : rows) {
    if (!row.problem.empty()) {
      throw InvalidInput(fmt::format("{} {}", row.operation, row.problem),
                         row.where,
                         "leave such rows out with --select column=value");
    }
  }
}

}  // namespace switchyard
