// Whether this machine can profile kernels, found out without profiling: for `doctor`, and so that
// `profile` can refuse before it starts a program. Needs no CUDA and no CUPTI headers.
#pragma once

#include <string>

namespace switchyard {

/// A shared library that may be absent.
struct FoundLibrary {
  std::string path;    // what dlopen takes; empty if absent
  std::string reason;  // why absent
  std::string hint;

  [[nodiscard]] bool is_there() const { return !path.empty(); }
};

/// libcupti: $SWITCHYARD_CUPTI_LIBRARY, else the loader's path, else beside the CUDA toolkit.
FoundLibrary find_cupti();

/// The NVIDIA driver, asked through libcuda.so.1.
struct DriverState {
  bool is_usable = false;
  int devices = 0;
  int version = 0;          // 13000 for CUDA 13.0
  std::string description;  // "8 x NVIDIA H100 80GB HBM3", or why not usable
  std::string hint;
};

DriverState probe_driver();

/// What the driver lets this user see.
struct ProfilingPermission {
  bool is_known = false;        // the driver says nothing where it is not installed
  bool allows_counters = true;  // hardware counters: RmProfilingAdminOnly
  std::string description;
  std::string hint;  // empty when nothing is forbidden
};

/// Reads `parameters`, the file in which the driver tells its options.
ProfilingPermission profiling_permission(
    const std::string& parameters = "/proc/driver/nvidia/params");

/// How to lift the restriction, for every message that meets it.
std::string permission_remedy();

/// "" where this build can profile, else why it cannot.
std::string profiling_build_reason();

}  // namespace switchyard
