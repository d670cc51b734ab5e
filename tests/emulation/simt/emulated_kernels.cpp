#include "tests/emulation/simt/emulated_kernels.hpp"

#include <map>
#include <string>

#include "tests/emulation/simt/simt_engine.hpp"

namespace switchyard {
namespace {

std::map<std::string_view, EmulatedKernel>& kernels_by_name() {
  static std::map<std::string_view, EmulatedKernel> kernels;
  return kernels;
}

}  // namespace

const EmulatedKernel& find_emulated_kernel(std::string_view name) {
  const auto found = kernels_by_name().find(name);
  if (found == kernels_by_name().end()) {
    throw SimtError("no emulated kernel is called " + std::string(name));
  }
  return found->second;
}

EnteredEmulatedKernel::EnteredEmulatedKernel(const char* name, const EmulatedKernel& kernel) {
  kernels_by_name().emplace(name, kernel);
}

}  // namespace switchyard
