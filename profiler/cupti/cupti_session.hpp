// Recording of what the GPU does in this process, by CUPTI's activity API. CUPTI has one set of
// callbacks a process, so there is one session at a time; the buffers behind it live as long as the
// process, since CUPTI may still call while the process exits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "profiler/activities/activity_sink.hpp"

namespace switchyard {

struct CuptiOptions {
  std::string library;  // a libcupti to take instead of looking for one
  std::size_t buffer_bytes = std::size_t{4} << 20U;
  std::size_t most_buffers = 64;
  bool whole_graphs = false;          // one activity a CUDA graph instead of one a kernel in it
  std::uint32_t flush_period_ms = 0;  // how often CUPTI hands over by itself; 0 = when full
  bool asks_driver = false;  // what devices there are, where CUDA may have started: CUPTI is silent
};

struct CuptiSummary {
  std::uint64_t records = 0;
  std::uint64_t buffers = 0;
};

/// What is known once a session runs.
struct CuptiStart {
  std::int64_t epoch_unix_ns = 0;
  std::uint32_t version = 0;
};

class CuptiSession {
 public:
  /// Starts recording into `sink`, which must outlive the session. Throws MissingCapability, with
  /// the reason and the remedy, if CUPTI is absent, refuses, or is not permitted; InternalError if
  /// a session runs already.
  CuptiSession(ActivitySink& sink, const CuptiOptions& options);
  CuptiSession(const CuptiSession&) = delete;
  CuptiSession& operator=(const CuptiSession&) = delete;
  CuptiSession(CuptiSession&&) = delete;
  CuptiSession& operator=(CuptiSession&&) = delete;
  /// Finishes, if finish() was not called.
  ~CuptiSession();

  /// Stops recording, makes CUPTI hand over everything, and gives the sink the last records and
  /// counts. Work still running on the GPU is not waited for: it is counted as untimed.
  CuptiSummary finish() noexcept;

  /// Unix time of CUPTI's zero, in ns.
  [[nodiscard]] std::int64_t epoch_unix_ns() const { return start_.epoch_unix_ns; }

  /// CUPTI's API version, such as 130001.
  [[nodiscard]] std::uint32_t version() const { return start_.version; }

 private:
  CuptiStart start_;
  bool is_finished_ = false;
};

}  // namespace switchyard
