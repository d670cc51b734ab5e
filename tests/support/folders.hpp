// Where the source and build trees are. Only folders.cpp is compiled with their paths, so that the
// objects of all other tests are the same in every checkout and a compiler cache can share them.
#pragma once

#include <filesystem>

namespace switchyard::testing {

std::filesystem::path source_folder();
std::filesystem::path build_folder();

}  // namespace switchyard::testing
