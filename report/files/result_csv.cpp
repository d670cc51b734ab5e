// RFC 4180 quoting; an empty cell is "not known", numbers are the shortest that read back exactly.
#include "report/files/result_csv.hpp"

#include <fmt/format.h>

#include "core/files/atomic_file.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kFlushSize = std::size_t{1} << 16U;

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string result = "\"";
  for (const char c : text) {
    result += c;
    if (c == '"') {
      result += c;
    }
  }
  return result + "\"";
}

std::string cell(const MetricValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return csv_field(*text);
  }
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    return fmt::format("{}", *whole);
  }
  if (const auto* number = std::get_if<double>(&value)) {
    return fmt::format("{}", *number);
  }
  return {};
}

void write_table(const ResultTable& table, const std::filesystem::path& path, bool overwrite) {
  AtomicFile file(path, overwrite);
  std::string buffer;
  for (const ResultColumn& column : table.columns) {
    buffer += (buffer.empty() ? "" : ",") + column.name;
  }
  buffer += "\n";
  table.each_row([&](const ResultTable::Row& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      buffer += (i == 0 ? "" : ",") + cell(row[i]);
    }
    buffer += "\n";
    if (buffer.size() > kFlushSize) {
      file.write(buffer);
      buffer.clear();
    }
  });
  file.write(buffer);
  file.commit();
}

std::filesystem::path table_path(const std::filesystem::path& folder, const ResultTable& table) {
  return folder / (table.name + ".csv");
}

}  // namespace

void check_csv_folder(const std::filesystem::path& folder, bool overwrite) {
  std::error_code problem;
  if (!std::filesystem::exists(folder, problem)) {
    check_writable(folder, overwrite);
    return;
  }
  if (!std::filesystem::is_directory(folder, problem)) {
    throw InvalidInput("is not a folder", {folder.string(), ""}, "--csv wants a folder");
  }
  for (const ResultTable& table : result_tables({})) {
    check_writable(table_path(folder, table), overwrite);
  }
}

void write_result_csv(const SimulationResult& result,
                      const std::filesystem::path& folder,
                      bool overwrite) {
  check_csv_folder(folder, overwrite);
  std::error_code problem;
  std::filesystem::create_directory(folder, problem);
  if (problem) {
    throw InvalidInput("cannot be created: " + problem.message(), {folder.string(), ""});
  }
  for (const ResultTable& table : result_tables(result)) {
    write_table(table, table_path(folder, table), overwrite);
  }
}

}  // namespace switchyard
