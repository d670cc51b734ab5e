#include "core/processes/module.hpp"

#include <stdexcept>

#include <dlfcn.h>

#include "core/error.hpp"

namespace switchyard {

std::filesystem::path module_path(const std::string& name, const std::string& hint) {
  Dl_info library{};
  if (::dladdr(reinterpret_cast<const void*>(&module_path), &library) == 0 ||
      library.dli_fname == nullptr) {
    throw InternalError("cannot tell where the switchyard library is");
  }
  std::filesystem::path module = std::filesystem::path(library.dli_fname).parent_path() / name;
  std::error_code ignored;
  if (!std::filesystem::exists(module, ignored)) {
    throw MissingCapability("the module " + module.string() + " is not there", {}, hint);
  }
  return module;
}

void* load_symbol(const std::filesystem::path& module, const char* symbol) {
  void* library = ::dlopen(module.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* address = library == nullptr ? nullptr : ::dlsym(library, symbol);
  if (address == nullptr) {
    throw std::runtime_error(::dlerror());
  }
  return address;
}

}  // namespace switchyard
