// Real routing traces and measurements that are not part of this repository. Tests that read them
// look in $SWITCHYARD_DATA, else in ../shared/data beside the checkout, and skip where it is
// absent.
#pragma once

#include <filesystem>
#include <optional>

namespace switchyard::testing {

/// The folder of real data, if there is one.
std::optional<std::filesystem::path> real_data_folder();

}  // namespace switchyard::testing

/// Defines `name` as the path of `relative` in the real data, or skips the test with the reason.
#define SWITCHYARD_REAL_DATA(name, relative)                                                   \
  const auto name##_folder = ::switchyard::testing::real_data_folder();                        \
  if (!name##_folder) {                                                                        \
    GTEST_SKIP() << "no real data: set SWITCHYARD_DATA to a folder that holds " << (relative); \
  }                                                                                            \
  const std::filesystem::path name = *name##_folder / (relative)
