// Turns a CUDA runtime error into an exception that says which call failed and why.
#pragma once

#include <string>

#include <cuda_runtime_api.h>

#include "core/error.hpp"

namespace switchyard {

inline void check_cuda(cudaError_t status, const char* call) {
  if (status == cudaSuccess) {
    return;
  }
  cudaGetLastError();  // clears what is not sticky, so that the next call is judged by itself
  const std::string message = std::string(call) + " failed: " + cudaGetErrorString(status) + " (" +
                              cudaGetErrorName(status) + ")";
  switch (status) {
    case cudaErrorMemoryAllocation:
      throw MissingCapability(
          message, {}, "route fewer tokens at once, or choose the CPU executor");
    case cudaErrorInsufficientDriver:
    case cudaErrorNoDevice:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
      throw MissingCapability(message, {}, "choose the CPU executor");
    default:
      throw InternalError(message);
  }
}

}  // namespace switchyard

#define SWITCHYARD_CUDA(call) ::switchyard::check_cuda((call), #call)
