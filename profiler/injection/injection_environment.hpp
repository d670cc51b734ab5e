// What `switchyard profile` tells the injection library, through the environment of the program
// under observation.
#pragma once

namespace switchyard {

/// Folder for the spools, one a process: <folder>/<host>-<process>.spool
inline constexpr const char* kSpoolFolderVariable = "SWITCHYARD_PROFILE_SPOOL";
/// "1": one activity a CUDA graph.
inline constexpr const char* kWholeGraphsVariable = "SWITCHYARD_PROFILE_WHOLE_GRAPHS";
/// Read by the driver: the library that it loads into every CUDA program.
inline constexpr const char* kInjectionVariable = "CUDA_INJECTION64_PATH";
/// Read by NVTX: who hears of the ranges.
inline constexpr const char* kNvtxInjectionVariable = "NVTX_INJECTION64_PATH";

}  // namespace switchyard
