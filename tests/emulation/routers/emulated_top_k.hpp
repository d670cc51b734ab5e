// The top-k kernels of kernels/routers/top_k.cuh, run by the SIMT emulator.
#pragma once

#include "tests/emulation/routers/top_k_cases.hpp"

namespace switchyard {

struct EmulatedTopKOptions {
  std::uint64_t schedule_seed = 0;
  std::int32_t multiprocessors = 1;  ///< changes the launch plan only
};

TopKResult emulated_top_k(const TopKCase& test,
                          const LogitBuffer& logits,
                          const EmulatedTopKOptions& options = {});

}  // namespace switchyard
