// Executes parsed PTX on the SIMT engine, so that what nvcc made of a kernel is tested, not only
// its source. Every memory access is checked: global addresses against the buffers named in the
// launch, shared and parameter addresses against their sizes, all against their alignment.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "tests/emulation/ptx/ptx_memory.hpp"
#include "tests/emulation/ptx/ptx_module.hpp"
#include "tests/emulation/ptx/ptx_profile.hpp"
#include "tests/emulation/simt/simt_engine.hpp"

namespace switchyard {

struct PtxLaunch {
  SimtLaunch shape;
  std::span<const std::byte> arguments;  ///< the parameter bytes, as the kernel declares them
  std::vector<PtxBuffer> buffers;
};

/// Runs the kernel to its end and returns what it asked for. Throws PtxError or SimtError on
/// misuse.
PtxCounters run_ptx(const PtxKernel& kernel, const PtxLaunch& launch);

}  // namespace switchyard
