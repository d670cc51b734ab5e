// What nvcc and ptxas made of the project's kernels, for each architecture of the build. Empty
// where the build has no nvcc; tests then skip themselves and say so.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/emulation/ptx/ptx_module.hpp"

namespace switchyard {

/// What ptxas reports of one kernel.
struct KernelResources {
  int registers = 0;
  int spill_bytes = 0;  ///< stores and loads
  int stack_bytes = 0;
  int shared_bytes = 0;
};

struct CompiledKernels {
  std::string architecture;  ///< such as "90"
  PtxModule module;          ///< the kernels of all files
  std::map<std::string, KernelResources> resources;
};

/// Parsed once a process.
const std::vector<CompiledKernels>& compiled_kernels();

/// From the text that `ptxas -v` prints.
std::map<std::string, KernelResources> parse_ptxas_report(const std::string& report);

}  // namespace switchyard

/// Skips a test, by name, in a build without nvcc.
#define SWITCHYARD_NEEDS_COMPILED_KERNELS()                         \
  if (::switchyard::compiled_kernels().empty()) {                   \
    GTEST_SKIP() << "this build has no nvcc, hence no PTX to test"; \
  }
