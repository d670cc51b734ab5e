// Reading JSON documents with errors that name line and column.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "core/error.hpp"

namespace switchyard {

/// Parses `text`; throws InvalidInput with line and column. Duplicate keys and invalid UTF-8 are
/// errors. Comments (//) are not allowed.
nlohmann::json parse_json(std::string_view text, const Location& where);
/// Reads and parses a file, plain or gzip; "-" is standard input.
nlohmann::json read_json_file(const std::filesystem::path& path);

}  // namespace switchyard
