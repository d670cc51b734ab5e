// The top-k kernels as nvcc compiled them to PTX, run by the PTX machine.
#pragma once

#include "tests/emulation/ptx/ptx_machine.hpp"
#include "tests/emulation/routers/top_k_cases.hpp"

namespace switchyard {

struct PtxTopKRun {
  TopKResult result;
  PtxCounters counters;
};

/// The name of the kernel that serves a shape.
std::string top_k_kernel_name(const TopKShape& shape);

/// `multiprocessors` only changes the launch plan; 0 gives the plan of a busy device.
PtxTopKRun ptx_top_k(const PtxModule& module,
                     const TopKCase& test,
                     const LogitBuffer& logits,
                     std::int32_t multiprocessors = 1);

}  // namespace switchyard
