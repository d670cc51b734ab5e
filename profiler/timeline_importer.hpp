// Foreign profiles. One .cpp in profiler/importers/ per format:
//
// | hook         | when                    | must                                                 |
// |--------------|-------------------------|------------------------------------------------------|
// | recognises() | the format is not named | look at names and first bytes only; never throw      |
// | read()       | once per file           | add its processes, then its events; throw            |
// |              |                         | InvalidInput with the place, or note what it mended  |
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/components/registry.hpp"
#include "core/run_control.hpp"
#include "profiler/event_timeline.hpp"

namespace switchyard {

class TimelineImporter {
 public:
  TimelineImporter() = default;
  TimelineImporter(const TimelineImporter&) = delete;
  TimelineImporter& operator=(const TimelineImporter&) = delete;
  TimelineImporter(TimelineImporter&&) = delete;
  TimelineImporter& operator=(TimelineImporter&&) = delete;
  virtual ~TimelineImporter() = default;

  /// Whether a file looks like this format, from its name and first bytes.
  [[nodiscard]] virtual bool recognises(const std::filesystem::path& path) const = 0;
  /// Appends the file's processes and events to `sink`.
  virtual void read(const std::filesystem::path& path,
                    TimelineSink& sink,
                    const Progress& progress) const = 0;
};

extern template class Registry<TimelineImporter>;

/// Names of the importers that recognise a file; of a folder, of the first file in it that any
/// recognises.
std::vector<std::string> matching_timeline_importers(const std::filesystem::path& path);

/// Reads a file, or every file of a folder that `importer` recognises (one process or more each,
/// in the order of their names). Throws InvalidInput if two processes have the same rank; notes
/// missing ranks and everything check_timing finds.
void import_timeline(const TimelineImporter& importer,
                     const std::filesystem::path& path,
                     TimelineSink& sink,
                     const Progress& progress);

/// The rank in a file's name: "trace_rank3.json.gz", "rank-3", "rank_3". -1 if there is none.
std::int32_t rank_in_name(const std::filesystem::path& path);

/// The first bytes of a file, gunzipped; empty if it cannot be read. Never throws.
std::string first_bytes(const std::filesystem::path& path, std::size_t count);

}  // namespace switchyard
