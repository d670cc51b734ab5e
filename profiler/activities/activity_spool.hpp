// A file that a profiled program leaves behind for `switchyard profile`: frames of plain records,
// appended as CUPTI hands them over, so that a program that is killed loses only its last second.
// The writer runs inside foreign programs and therefore needs next to nothing. Both sides are the
// same build on the same kind of machine; the reader still trusts no byte.
//
//   file   = head, frame...
//   head   = "SWYSPOOL", version u32, sizeof(ActivityRecord) u32
//   frame  = type u32, 0 u32, payload bytes u64, payload
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "profiler/activities/activity_sink.hpp"

namespace switchyard {

/// Who wrote a spool.
struct SpoolOwner {
  std::int64_t epoch_unix_ns = 0;  // Unix time of the records' clock's zero
  std::int64_t process_id = -1;
  std::int32_t rank = -1;
  std::int32_t world_size = -1;
  std::uint32_t cupti_version = 0;
  std::string host;
  std::string command;  // the program's own name
};

class SpoolWriter final : public ActivitySink {
 public:
  /// Creates the file. Throws InvalidInput if that fails.
  explicit SpoolWriter(const std::filesystem::path& path);
  SpoolWriter(const SpoolWriter&) = delete;
  SpoolWriter& operator=(const SpoolWriter&) = delete;
  SpoolWriter(SpoolWriter&&) = delete;
  SpoolWriter& operator=(SpoolWriter&&) = delete;
  ~SpoolWriter() override;

  void write_owner(const SpoolOwner& owner);
  /// Why nothing could be recorded.
  void write_problem(std::string_view reason, std::string_view hint);
  /// Throws InvalidInput when the disk is full.
  void take(ActivityLog& log) override;
  /// Marks the spool as complete: the program ended by itself.
  void write_end();

 private:
  void write_frame(std::uint32_t type, std::string_view payload);
  void write_all(const void* bytes, std::size_t count);

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::size_t names_written_ = 0;
  std::uint64_t bytes_written_ = 0;
};

/// What a spool says besides its records.
struct SpoolSummary {
  SpoolOwner owner;
  bool has_owner = false;
  bool is_complete = false;  // else the program was killed, or left by _exit
  std::uint64_t records = 0;
  std::uint64_t lost_bytes = 0;  // of a last frame that was not written to its end
  std::string problem;           // why nothing was recorded; empty if something was
  std::string problem_hint;
};

/// Reads a spool frame by frame. `take` gets the records of each frame, with all names and counts
/// so far. Throws InvalidInput, naming the offset, for a file that is no spool or holds nonsense; a
/// cut end is no error.
SpoolSummary read_spool(const std::filesystem::path& path,
                        const std::function<void(const SpoolSummary&, const ActivityLog&)>& take);
/// The same, keeping no records.
SpoolSummary summarise_spool(const std::filesystem::path& path);

}  // namespace switchyard
