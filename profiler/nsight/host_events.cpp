#include "profiler/nsight/export_state.hpp"

namespace switchyard {
namespace {

using NoteKind = TimelineNote::Kind;

constexpr std::int64_t kPushPop = 59;
constexpr std::int64_t kStartEnd = 60;
constexpr std::int64_t kSevere = 3;  // ENUM_DIAGNOSTIC_SEVERITY_LEVEL: error

// The lower 24 bits of a global thread id are the thread.
std::int64_t thread_of(std::int64_t global_id) {
  return global_id & 0xffffff;
}

void read_calls(NsightExport& source) {
  if (!source.has("CUPTI_ACTIVITY_KIND_RUNTIME")) {
    return;
  }
  NsightTable rows(source.database(),
                   "CUPTI_ACTIVITY_KIND_RUNTIME",
                   {{.names = {"start"}, .is_needed = true},
                    {.names = {"end"}, .is_needed = true},
                    {.names = {"globalTid"}},
                    {.names = {"correlationId"}},
                    {.names = {"nameId"}, .is_needed = true}},
                   source.sink().tables);
  while (rows.next()) {
    TimelineEvent event;
    event.kind = EventKind::ApiCall;
    if (source.set_times(rows, event)) {
      const std::int64_t thread = rows.whole(2);
      event.process = source.process(thread);
      event.stream = thread < 0 ? -1 : thread_of(thread);
      event.correlation = rows.whole(3);
      event.name = source.name(rows.whole(4), rows);
      source.sink().add(event);
    }
  }
}

void read_ranges(NsightExport& source) {
  if (!source.has("NVTX_EVENTS")) {
    return;
  }
  NsightTable rows(source.database(),
                   "NVTX_EVENTS",
                   {{.names = {"start"}, .is_needed = true},
                    {.names = {"end"}, .is_needed = true},
                    {.names = {"eventType"}, .is_needed = true},
                    {.names = {"globalTid"}},
                    {.names = {"text"}},
                    {.names = {"textId"}}},
                   source.sink().tables);
  while (rows.next()) {
    const std::int64_t type = rows.whole(2);
    if (type != kPushPop && type != kStartEnd) {
      source.sink().tables.note(NoteKind::LeftOut, "NVTX marks and definitions");
      continue;
    }
    if (rows.is_null(1)) {
      source.sink().tables.note(NoteKind::Lost, "NVTX range that never ends: left out");
      continue;
    }
    TimelineEvent event;
    event.kind = EventKind::Range;
    if (source.set_times(rows, event)) {
      const std::int64_t thread = rows.whole(3);
      event.process = source.process(thread);
      event.stream = thread < 0 ? -1 : thread_of(thread);
      event.name = rows.is_null(4) && !rows.is_null(5) ? source.name(rows.whole(5), rows)
                                                       : source.sink().intern(rows.text(4));
      source.sink().add(event);
    }
  }
}

// What the profiler itself complained of.
void read_diagnostics(const NsightExport& source) {
  if (!source.has("DIAGNOSTIC_EVENT")) {
    return;
  }
  NsightTable rows(source.database(),
                   "DIAGNOSTIC_EVENT",
                   {{.names = {"severity"}}, {.names = {"text"}}},
                   source.sink().tables);
  while (rows.next()) {
    if (rows.whole(0) == kSevere) {
      source.sink().tables.note(NoteKind::Lost, "nsys reports: " + std::string(rows.text(1)));
    }
  }
}

}  // namespace

void read_host_events(NsightExport& source) {
  read_calls(source);
  read_ranges(source);
  read_diagnostics(source);
}

}  // namespace switchyard
