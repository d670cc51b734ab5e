// SWITCHYARD_KERNEL(name, Arguments, threads) { body } defines the kernel `name` of `threads`
// threads a block, which takes one plain struct called `arguments`, and enters it under its name
// with the machine that runs it: the GPU when nvcc compiles the file, the SIMT emulator when its
// vocabulary header came first. Names are plain C, for profilers, the PTX machine and the register
// gate. SWITCHYARD_WIDE_KERNEL prefers many registers to spills and to several blocks at once.
#pragma once

#include "kernels/device/executor.cuh"

#if defined(__CUDACC__)
#include "kernels/device/gpu_kernels.hpp"

#define SWITCHYARD_ENTERED_KERNEL(name, Arguments, threads, bounds)                 \
  extern "C" __global__ void bounds name(const Arguments arguments);                \
  static const ::switchyard::EnteredGpuKernel name##_entered{                       \
      #name, {reinterpret_cast<const void*>(&name), sizeof(Arguments), (threads)}}; \
  extern "C" __global__ void bounds name(const Arguments arguments)

#define SWITCHYARD_KERNEL(name, Arguments, threads) \
  SWITCHYARD_ENTERED_KERNEL(name, Arguments, threads, __launch_bounds__(threads))

#define SWITCHYARD_WIDE_KERNEL(name, Arguments, threads) \
  SWITCHYARD_ENTERED_KERNEL(name, Arguments, threads, __launch_bounds__(threads, 1))
#endif
