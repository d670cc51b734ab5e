// Files compiled into the library (presets, schemas, sample traces), so that the program needs
// nothing beside itself. The build turns each into an array; see cmake/EmbedFiles.cmake.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace switchyard {

struct EmbeddedFile {
  std::string_view path;     // from the repository root: "topologies/presets/dgx_h100_8.json"
  std::string_view content;  // raw bytes
};

/// Every embedded file, sorted by path.
std::span<const EmbeddedFile> embedded_files();
/// The content of one embedded file; throws InternalError if there is none.
std::string_view embedded_file(std::string_view path);

/// Names of the JSON files embedded from `folder` (which ends in a slash), without extension,
/// sorted.
std::vector<std::string> embedded_names(std::string_view folder);
/// The one of that name. Throws InvalidInput "no <noun> is called ...", hinting at the nearest
/// name.
EmbeddedFile embedded_preset(std::string_view folder,
                             const std::string& noun,
                             const std::string& name,
                             const Location& where);

}  // namespace switchyard
