// Tiny profiles of every format, and how to read one.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "profiler/event_timeline.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard::testing {

/// Guesses the format and reads; `settings` as in --set.
EventTimeline import_profile(const std::filesystem::path& path,
                             const std::map<std::string, std::int64_t>& settings = {});

/// Events of a kind and the sum of their durations.
struct KindSum {
  std::int64_t count = 0;
  std::int64_t time_ns = 0;

  bool operator==(const KindSum&) const = default;
};

KindSum sum_of(const EventTimeline& timeline, EventKind kind);

/// The count of the note of this kind whose text holds `words`; 0 if there is none.
std::int64_t note_count(const EventTimeline& timeline,
                        TimelineNote::Kind kind,
                        const std::string& words);

/// A Kineto document with these trace events (comma-separated objects).
std::string kineto_document(const std::string& events, int rank = 0, int world_size = 1);
/// A kernel of a Kineto trace. Times in microseconds, as text.
std::string kineto_kernel(const std::string& name,
                          const std::string& start,
                          const std::string& duration,
                          const std::string& arguments = "");
/// An Nsight Systems export with one kernel [1000, 3000) in stream 7, its launch inside an NVTX
/// range, and a copy; then `sql` is run on it.
std::filesystem::path nsight_export(const TemporaryFolder& folder, const std::string& sql = "");

}  // namespace switchyard::testing
