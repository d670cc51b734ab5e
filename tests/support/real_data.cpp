// Looks beside the source tree, not the working folder: ctest runs from the build tree.
#include "tests/support/real_data.hpp"

#include <cstdlib>

#include "tests/support/folders.hpp"

namespace switchyard::testing {

std::optional<std::filesystem::path> real_data_folder() {
  const char* chosen = std::getenv("SWITCHYARD_DATA");
  const std::filesystem::path folder = chosen != nullptr && *chosen != '\0'
                                           ? std::filesystem::path(chosen)
                                           : source_folder() / ".." / "shared" / "data";
  std::error_code problem;
  if (!std::filesystem::is_directory(folder / "routing", problem)) {
    return std::nullopt;
  }
  return folder;
}

}  // namespace switchyard::testing
