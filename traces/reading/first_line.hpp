// For recognising text formats without reading them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace switchyard {

/// The start of a text file's first line (at most `longest` bytes), gunzipped if need be; empty for
/// a folder, an unreadable or a damaged file. Never throws.
std::string first_line(const std::filesystem::path& path, std::size_t longest = 4096) noexcept;

}  // namespace switchyard
