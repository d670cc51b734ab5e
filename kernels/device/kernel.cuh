// SWITCHYARD_KERNEL(name, Arguments, threads) { body } defines the kernel `name` of `threads`
// threads a block, which takes one plain struct called `arguments`, and enters it under its name
// with the machine that runs it: the GPU when nvcc compiles the file, the SIMT emulator when its
// vocabulary header came first. Names are plain C, for profilers, the PTX machine and the register
// gate.
#pragma once

#include "kernels/device/executor.cuh"

#if defined(__CUDACC__)
#include "kernels/device/gpu_kernels.hpp"

#define SWITCHYARD_KERNEL(name, Arguments, threads)                                      \
  extern "C" __global__ void __launch_bounds__(threads) name(const Arguments arguments); \
  static const ::switchyard::EnteredGpuKernel name##_entered{                            \
      #name, {reinterpret_cast<const void*>(&name), sizeof(Arguments), (threads)}};      \
  extern "C" __global__ void __launch_bounds__(threads) name(const Arguments arguments)
#endif
