// The parameter `executor` of routers that have a CUDA form. It never changes a result, only where
// the work is done.
#pragma once

#include <cstddef>

#include "core/components/parameters.hpp"

namespace switchyard {

enum class Executor { Cpu, Cuda, Auto };

/// Reads `executor`: "cpu" (default), "cuda" (MissingCapability without a usable GPU), or "auto"
/// (the GPU where there is one and its kernels have room, else the CPU).
Executor read_executor(Parameters& parameters);

/// What the kernels of a router have room for.
struct KernelRoom {
  std::size_t experts = 0;
  std::size_t slots = 0;
};

/// Whether a router whose user asked for `executor` takes the GPU for a model of `experts` and
/// `slots`. Throws MissingCapability where it must and cannot.
bool takes_gpu(Executor executor, std::size_t experts, std::size_t slots, const KernelRoom& room);

}  // namespace switchyard
