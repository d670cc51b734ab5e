#include "tests/support/folders.hpp"

namespace switchyard::testing {

std::filesystem::path source_folder() {
  return SWITCHYARD_SOURCE_DIR;
}

std::filesystem::path build_folder() {
  return SWITCHYARD_BINARY_DIR;
}

}  // namespace switchyard::testing
