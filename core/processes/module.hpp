// Modules: shared objects beside the switchyard library that hold what only a child process may
// load.
#pragma once

#include <filesystem>
#include <string>

namespace switchyard {

/// The module `name` beside the library. Throws MissingCapability with the hint if it is not there.
std::filesystem::path module_path(const std::string& name, const std::string& hint);

/// Loads the module and answers the address of its symbol. Throws std::runtime_error.
void* load_symbol(const std::filesystem::path& module, const char* symbol);

}  // namespace switchyard
