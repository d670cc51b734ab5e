// The most memory that this process has held resident, as Linux counts it.
#pragma once

#include <fstream>
#include <string>

#include <malloc.h>

namespace switchyard::bench {

/// Forgets the peak so far, and gives freed memory back first.
inline void reset_peak_memory() {
  ::malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
}

/// In megabytes (1e6 bytes), since the last reset; 0 where the system does not say.
inline double peak_memory_mb() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmHWM:")) {
      return std::stod(line.substr(6)) * 1024 / 1e6;
    }
  }
  return 0;
}

}  // namespace switchyard::bench
