// Measured all-to-alls from profiles: nccl-tests output, measured timelines, traces with
// collectives.
#pragma once

#include <filesystem>

#include "profiler/measurements/measurement.hpp"

namespace switchyard {

/// Whether an importer of profiles recognises the file.
bool is_measured_timeline(const std::filesystem::path& path);

/// Out-of-place rows of a benchmark's alltoall; else every recorded all-to-all, at the time of the
/// rank that entered last: the others' times hold their waiting for it. Other operations are
/// counted as skipped. Throws InvalidInput for what the importer refuses, a profile without
/// all-to-all, and for a benchmark whose number of ranks is said neither there nor by `defaults`.
MeasurementTable read_timeline_measurements(const std::filesystem::path& path,
                                            const MeasurementDefaults& defaults);

}  // namespace switchyard
