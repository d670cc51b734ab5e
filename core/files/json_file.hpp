// Reading JSON documents with errors that name line and column.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "core/error.hpp"

namespace switchyard {

/// Parses `text`; throws InvalidInput with line and column. Duplicate keys and invalid UTF-8 are
/// errors. Comments (//) are not allowed. `first_line` is the number of the text's first line, for
/// a document that is one line of a larger file.
nlohmann::json parse_json(std::string_view text, const Location& where, std::size_t first_line = 1);
/// Reads and parses a file, plain or gzip; "-" is standard input.
nlohmann::json read_json_file(const std::filesystem::path& path);

}  // namespace switchyard
