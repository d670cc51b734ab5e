// `route --profile FILE`: records the router's own kernels while they route, and sets their times
// against what the device could do at best.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "profiler/cupti/hardware_counters.hpp"
#include "profiler/kernel_floor.hpp"

namespace switchyard {

/// Launches of one kernel.
struct KernelTimes {
  std::string kernel;
  std::int64_t launches = 0;
  Seconds median{0};
  Seconds total{0};
};

struct RouteProfile {
  std::vector<KernelTimes> kernels;  // by total time, longest first
  std::int64_t lost = 0;
  /// Of a launch of the selection kernel, where its shape and the device's rates are known.
  KernelFloor floor;
  bool has_floor = false;
  bool fits_in_l2 = false;
  CounterReport counters;
};

/// What to record.
struct RouteProfileRequest {
  std::function<void()> route;
  /// Routes once more, for one pass of hardware counters; empty = none are wanted.
  std::function<void()> route_again;
  TopKLaunch launch;  // of the selection kernel; 0 tokens = it is not top-k, or not known
  bool is_renormalised = true;
  std::filesystem::path target;
  bool overwrite = false;
};

/// Throws MissingCapability, saying why, if this machine cannot profile.
void require_route_profiling();

/// Runs the request's `route` under CUPTI and writes its timeline. Throws MissingCapability if
/// nothing ran on the GPU. Hardware counters that cannot be had are named in the answer.
RouteProfile profile_route(const RouteProfileRequest& request);

std::string text_of(const RouteProfile& profile);

}  // namespace switchyard
