// The table itself is generated; this is only the look-up.
#include "core/components/embedded.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/check.hpp"
#include "core/components/suggestion.hpp"

namespace switchyard {
namespace {

constexpr std::string_view kExtension = ".json";

}  // namespace

std::string_view embedded_file(std::string_view path) {
  const auto files = embedded_files();
  const auto found = std::find_if(
      files.begin(), files.end(), [&](const EmbeddedFile& file) { return file.path == path; });
  SWITCHYARD_CHECK(found != files.end(), "no embedded file " + std::string(path));
  return found->content;
}

std::vector<std::string> embedded_names(std::string_view folder) {
  std::vector<std::string> names;
  for (const EmbeddedFile& file : embedded_files()) {
    if (file.path.starts_with(folder) && file.path.ends_with(kExtension)) {
      const std::string_view name = file.path.substr(folder.size());
      names.emplace_back(name.substr(0, name.size() - kExtension.size()));
    }
  }
  std::sort(names.begin(), names.end());  // "a-b.json" sorts before "a.json"
  return names;
}

EmbeddedFile embedded_preset(std::string_view folder,
                             const std::string& noun,
                             const std::string& name,
                             const Location& where) {
  const std::string path = fmt::format("{}{}{}", folder, name, kExtension);
  for (const EmbeddedFile& file : embedded_files()) {
    if (file.path == path) {
      return file;
    }
  }
  throw InvalidInput(fmt::format("no {} is called \"{}\"", noun, name),
                     where,
                     suggestion_hint(name, embedded_names(folder)));
}

}  // namespace switchyard
