// The measured-timeline file: one SQLite database, which sqlite3, DuckDB and pandas open as it is
// (tables: docs/file_formats.md). Written event by event, so that it may be larger than memory.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "core/files/sqlite.hpp"
#include "profiler/event_timeline.hpp"

namespace switchyard {

inline constexpr std::int64_t kTimelineFormatVersion = 1;

class TimelineWriter final : public TimelineSink {
 public:
  /// Throws InvalidInput as AtomicFile does.
  TimelineWriter(const std::filesystem::path& path, bool overwrite);
  TimelineWriter(TimelineWriter&&) noexcept;
  TimelineWriter& operator=(TimelineWriter&&) noexcept;
  TimelineWriter(const TimelineWriter&) = delete;
  TimelineWriter& operator=(const TimelineWriter&) = delete;
  /// Without commit() nothing is left behind.
  ~TimelineWriter() override;

  void add(const TimelineEvent& event) override;
  std::int32_t add(const CollectiveDetail& collective) override;
  [[nodiscard]] std::int64_t event_count() const;
  /// Writes the tables and puts the file in place.
  void commit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A whole timeline at once.
void write_timeline(const EventTimeline& timeline,
                    const std::filesystem::path& path,
                    bool overwrite);

/// Whether an SQLite file has the tables of a measured timeline. Throws InvalidInput if it cannot
/// be read.
bool is_timeline_file(const std::filesystem::path& path);

/// Reads everything and checks every row. Throws InvalidInput naming the table and row if the file
/// is no timeline, is damaged, or is of a newer format.
EventTimeline read_timeline(const std::filesystem::path& path);
/// The same, row by row into any sink, whose tables are filled first.
void read_timeline(const std::filesystem::path& path, TimelineSink& sink);

}  // namespace switchyard
