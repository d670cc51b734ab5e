// What the NVIDIA driver says of its GPUs, for sessions that CUPTI gives no device record: it sends
// one only to a session that is there when CUDA starts.
#pragma once

#include <string>
#include <vector>

#include "profiler/activities/activity_records.hpp"

namespace switchyard {

struct DriverDevice {
  DeviceFacts facts;  // without its name
  std::string name;
};

/// Empty without a driver, or when it has shut down already.
std::vector<DriverDevice> driver_devices();

}  // namespace switchyard
