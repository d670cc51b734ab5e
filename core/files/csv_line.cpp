#include "core/files/csv_line.hpp"

namespace switchyard {

std::optional<std::vector<std::string>> csv_fields(std::string_view line) {
  std::vector<std::string> fields(1);
  bool is_quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && is_quoted && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[i++];
    } else if (line[i] == '"') {
      is_quoted = !is_quoted;
    } else if (line[i] == ',' && !is_quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
  return is_quoted ? std::nullopt : std::optional(std::move(fields));
}

std::vector<std::string> require_csv_fields(std::string_view line, const Location& where) {
  auto fields = csv_fields(line);
  if (!fields) {
    throw InvalidInput("a quotation mark is not closed", where, "end the field with \"");
  }
  return std::move(*fields);
}

}  // namespace switchyard
