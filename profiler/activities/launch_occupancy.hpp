// Theoretical occupancy of a kernel launch: how many of a multiprocessor's warps its registers,
// shared memory and block size leave room for. The rules are those of CUDA's occupancy calculator,
// for compute capability 7.0 and later.
#pragma once

#include <cstdint>

#include "profiler/activities/activity_records.hpp"

namespace switchyard {

/// Blocks of this launch that fit on one multiprocessor at once; 0 if the record or the device says
/// too little to know.
std::uint32_t resident_blocks(const ActivityRecord& kernel, const DeviceFacts& device);

/// Resident warps over the most that a multiprocessor holds, 0 to 1; 0 where nothing is known.
double theoretical_occupancy(const ActivityRecord& kernel, const DeviceFacts& device);

}  // namespace switchyard
