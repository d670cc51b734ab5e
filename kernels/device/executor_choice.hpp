// The parameter `executor` of routers that have a CUDA form. It never changes a result, only where
// the work is done.
#pragma once

#include "core/components/parameters.hpp"

namespace switchyard {

enum class Executor { Cpu, Cuda, Auto };

/// Reads `executor`: "cpu" (default), "cuda" (MissingCapability without a usable GPU), or "auto"
/// (the GPU where there is one and its kernels have room, else the CPU).
Executor read_executor(Parameters& parameters);

}  // namespace switchyard
