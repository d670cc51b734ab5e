// Hardware counters of a stretch of GPU work, by CUPTI's Range Profiler: achieved occupancy, bytes
// of device memory, NVLink and PCIe. The hardware counts a few things at a time, so the work is
// repeated once for each pass; it must do the same every time and wait for nobody else (a
// collective repeated on one rank only would hang).
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace switchyard {

/// Counters that are measured together; the hardware cannot mix those of different groups.
struct CounterGroup {
  std::string name;
  std::vector<std::string> counters;  // CUPTI's metric names
};

/// "occupancy and device memory", "NVLink", "PCIe".
const std::vector<CounterGroup>& counter_groups();

/// How often the work must run for a group on a chip such as "GH100". Needs libcupti but no GPU.
/// Throws MissingCapability if the chip has not these counters, or there is no libcupti.
std::size_t counter_passes(const CounterGroup& group, const std::string& chip);

struct CounterReading {
  std::string counter;
  double value = 0;
  std::string unit;  // "bytes", "percent"
};

struct CounterReport {
  std::vector<CounterReading> readings;
  std::vector<std::string> missing;  // "NVLink: why not", one for each group without readings
};

/// Runs `work` on the current CUDA context, which must exist, as often as all groups need. Throws
/// MissingCapability if no group at all can be measured, with the remedy where it is a permission.
CounterReport measure_counters(const std::function<void()>& work);

}  // namespace switchyard
