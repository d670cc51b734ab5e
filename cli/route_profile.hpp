// `route --profile FILE`: records the router's own kernels while they route, and sets their times
// against what the device could do at best.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

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
};

/// Throws MissingCapability, saying why, if this machine cannot profile.
void require_route_profiling();

/// Runs `route` under CUPTI, writes its timeline to `target`. `launch`: the shape of the selection
/// kernel's launches, if it is top-k. Throws MissingCapability if nothing ran on the GPU.
RouteProfile profile_route(const std::function<void()>& route,
                           const TopKLaunch* launch,
                           bool is_renormalised,
                           const std::filesystem::path& target,
                           bool overwrite);

std::string text_of(const RouteProfile& profile);

}  // namespace switchyard
