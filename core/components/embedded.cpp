// The table itself is generated; this is only the look-up.
#include "core/components/embedded.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace switchyard {

std::string_view embedded_file(std::string_view path) {
  const auto files = embedded_files();
  const auto found = std::find_if(
      files.begin(), files.end(), [&](const EmbeddedFile& file) { return file.path == path; });
  SWITCHYARD_CHECK(found != files.end(), "no embedded file " + std::string(path));
  return found->content;
}

}  // namespace switchyard
