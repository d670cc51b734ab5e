// One line of a CSV file (RFC 4180, without line breaks inside quotes).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace switchyard {

/// Fields of a line; "a ""quoted"", field" is one field. Nothing if a quotation mark is not closed.
std::optional<std::vector<std::string>> csv_fields(std::string_view line);

/// The same; throws InvalidInput at `where` if a quotation mark is not closed.
std::vector<std::string> require_csv_fields(std::string_view line, const Location& where);

}  // namespace switchyard
