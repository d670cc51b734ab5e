#include <array>
#include <map>

#include "profiler/nsight/export_state.hpp"

namespace switchyard {
namespace {

constexpr std::int64_t kPeerToPeer = 10;  // CUPTI_ACTIVITY_MEMCPY_KIND_PTOP

void read_kernels(NsightExport& source) {
  if (!source.has("CUPTI_ACTIVITY_KIND_KERNEL")) {
    return;
  }
  NsightTable rows(source.database(),
                   "CUPTI_ACTIVITY_KIND_KERNEL",
                   {{.names = {"start"}, .is_needed = true},
                    {.names = {"end"}, .is_needed = true},
                    {.names = {"deviceId"}},
                    {.names = {"streamId"}},
                    {.names = {"correlationId"}},
                    {.names = {"globalPid"}},
                    {.names = {"demangledName", "shortName", "mangledName"}, .is_needed = true}},
                   source.sink().tables);
  while (rows.next()) {
    TimelineEvent event;
    event.kind = EventKind::Kernel;
    if (source.set_times(rows, event)) {
      event.device = rows.narrow(2);
      event.stream = rows.whole(3);
      event.correlation = rows.whole(4);
      event.process = source.process(rows.whole(5));
      event.name = source.name(rows.whole(6), rows);
      source.add_device_event(event);
    }
  }
}

std::map<std::int64_t, std::string> copy_labels(const NsightExport& source) {
  std::map<std::int64_t, std::string> labels;
  if (source.has("ENUM_CUDA_MEMCPY_OPER")) {
    NsightTable rows(source.database(),
                     "ENUM_CUDA_MEMCPY_OPER",
                     {{.names = {"id"}}, {.names = {"label", "name"}}},
                     source.sink().tables);
    while (rows.next()) {
      labels.emplace(rows.whole(0), rows.text(1));
    }
  }
  return labels;
}

void read_copies(NsightExport& source) {
  if (!source.has("CUPTI_ACTIVITY_KIND_MEMCPY")) {
    return;
  }
  NsightTable rows(source.database(),
                   "CUPTI_ACTIVITY_KIND_MEMCPY",
                   {{.names = {"start"}, .is_needed = true},
                    {.names = {"end"}, .is_needed = true},
                    {.names = {"deviceId"}},
                    {.names = {"streamId"}},
                    {.names = {"correlationId"}},
                    {.names = {"globalPid"}},
                    {.names = {"bytes"}},
                    {.names = {"copyKind"}},
                    {.names = {"dstDeviceId"}}},
                   source.sink().tables);
  const auto labels = copy_labels(source);
  while (rows.next()) {
    TimelineEvent event;
    event.kind = rows.whole(7) == kPeerToPeer ? EventKind::PeerCopy : EventKind::Memcpy;
    if (source.set_times(rows, event)) {
      event.device = rows.narrow(2);
      event.stream = rows.whole(3);
      event.correlation = rows.whole(4);
      event.process = source.process(rows.whole(5));
      event.bytes = rows.whole(6);
      event.peer_device = event.kind == EventKind::PeerCopy ? rows.narrow(8) : -1;
      const auto label = labels.find(rows.whole(7));
      event.name =
          source.sink().intern(label == labels.end() ? "memcpy" : "memcpy " + label->second);
      source.add_device_event(event);
    }
  }
}

// A table whose events have no name of their own.
struct SimpleTable {
  const char* table;
  EventKind kind;
  const char* name;
  bool has_bytes;
};

constexpr std::array<SimpleTable, 3> kSimpleTables{{
    {"CUPTI_ACTIVITY_KIND_MEMSET", EventKind::Memset, "memset", true},
    {"CUPTI_ACTIVITY_KIND_GRAPH_TRACE", EventKind::GraphLaunch, "CUDA graph", false},
    {"CUPTI_ACTIVITY_KIND_SYNCHRONIZATION", EventKind::Synchronisation, "synchronise", false},
}};

void read_simple(const SimpleTable& simple, NsightExport& source) {
  if (!source.has(simple.table)) {
    return;
  }
  std::vector<NsightColumn> columns{{.names = {"start"}, .is_needed = true},
                                    {.names = {"end"}, .is_needed = true},
                                    {.names = {"deviceId"}},
                                    {.names = {"streamId"}},
                                    {.names = {"correlationId"}},
                                    {.names = {"globalPid"}}};
  if (simple.has_bytes) {
    columns.push_back({.names = {"bytes"}});
  }
  NsightTable rows(source.database(), simple.table, columns, source.sink().tables);
  const NameId interned = source.sink().intern(simple.name);
  while (rows.next()) {
    TimelineEvent event;
    event.kind = simple.kind;
    event.name = interned;
    if (source.set_times(rows, event)) {
      event.device = rows.narrow(2);
      event.stream = rows.whole(3);
      event.correlation = rows.whole(4);
      event.process = source.process(rows.whole(5));
      event.bytes = simple.has_bytes ? rows.whole(6) : -1;
      source.sink().add(event);
    }
  }
}

}  // namespace

void read_device_events(NsightExport& source) {
  read_kernels(source);
  read_copies(source);
  for (const SimpleTable& simple : kSimpleTables) {
    read_simple(simple, source);
  }
}

}  // namespace switchyard
