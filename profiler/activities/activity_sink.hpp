// Where a session puts what it decoded: memory, or a spool file for another process.
#pragma once

#include "profiler/activities/activity_records.hpp"

namespace switchyard {

/// Takes what was decoded. Called from CUPTI's threads, one call at a time.
class ActivitySink {
 public:
  ActivitySink() = default;
  ActivitySink(const ActivitySink&) = delete;
  ActivitySink& operator=(const ActivitySink&) = delete;
  ActivitySink(ActivitySink&&) = delete;
  ActivitySink& operator=(ActivitySink&&) = delete;
  virtual ~ActivitySink() = default;

  /// `log` holds what came since the last call, and all names so far. The sink may move records and
  /// devices out of it, and must leave the names. It may throw: the records since the last call are
  /// then counted as dropped.
  virtual void take(ActivityLog& log) = 0;
};

/// Keeps everything in memory.
class KeepActivities final : public ActivitySink {
 public:
  void take(ActivityLog& log) override;

  ActivityLog log;
};

}  // namespace switchyard
