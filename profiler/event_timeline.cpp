#include "profiler/event_timeline.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "core/check.hpp"

namespace switchyard {
namespace {

constexpr std::array<std::string_view, kEventKinds> kKindNames{"kernel",
                                                               "memcpy",
                                                               "peer_copy",
                                                               "memset",
                                                               "range",
                                                               "device_range",
                                                               "synchronisation",
                                                               "api_call",
                                                               "graph_launch",
                                                               "communication",
                                                               "overhead"};
constexpr std::array<std::string_view, 4> kNoteNames{"left_out", "repaired", "lost", "doubtful"};

template <class Enum, std::size_t size>
std::optional<Enum> find_name(const std::array<std::string_view, size>& names,
                              std::string_view name) {
  const auto* found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? std::nullopt
                              : std::optional(static_cast<Enum>(found - names.begin()));
}

std::string lower_case(std::string_view text) {
  std::string lower;
  for (const char letter : text) {
    lower += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return lower;
}

// Lower case without underscores, as which the libraries' spellings agree.
std::string bare(std::string_view text) {
  std::string letters = lower_case(text);
  letters.erase(std::remove(letters.begin(), letters.end(), '_'), letters.end());
  return letters;
}

}  // namespace

NameTable::NameTable(const NameTable& other) {
  for (const std::string& text : other.texts_) {
    intern(text);
  }
}

NameTable& NameTable::operator=(const NameTable& other) {
  if (this != &other) {
    *this = NameTable(other);
  }
  return *this;
}

NameId NameTable::intern(std::string_view text) {
  const auto found = ids_.find(text);
  if (found != ids_.end()) {
    return NameId(found->second);
  }
  const auto id = static_cast<std::int32_t>(texts_.size());
  texts_.emplace_back(text);
  ids_.emplace(texts_.back(), id);
  return NameId(id);
}

std::string_view event_kind_name(EventKind kind) {
  return kKindNames[static_cast<std::size_t>(kind)];
}

std::optional<EventKind> parse_event_kind(std::string_view name) {
  return find_name<EventKind>(kKindNames, name);
}

bool is_device_work(EventKind kind) {
  switch (kind) {
    case EventKind::Kernel:
    case EventKind::Memcpy:
    case EventKind::PeerCopy:
    case EventKind::Memset:
    case EventKind::GraphLaunch:
      return true;
    default:
      return false;
  }
}

std::string_view note_kind_name(TimelineNote::Kind kind) {
  return kNoteNames[static_cast<std::size_t>(kind)];
}

std::optional<TimelineNote::Kind> parse_note_kind(std::string_view name) {
  return find_name<TimelineNote::Kind>(kNoteNames, name);
}

void TimelineTables::note(TimelineNote::Kind kind, std::string_view text, std::int64_t count) {
  const auto found = std::find_if(notes.begin(), notes.end(), [&](const TimelineNote& note) {
    return note.kind == kind && note.text == text;
  });
  if (found != notes.end()) {
    found->count += count;
  } else {
    notes.push_back({kind, std::string(text), count});
  }
}

void EventTimeline::add(const TimelineEvent& event) {
  const std::string fault = event_fault(event, tables, collectives.size());
  SWITCHYARD_CHECK(fault.empty(), "event not fit for a timeline: " + fault);
  events.push_back(event);
}

std::int32_t EventTimeline::add(const CollectiveDetail& collective) {
  collectives.push_back(collective);
  return static_cast<std::int32_t>(collectives.size() - 1);
}

std::string event_fault(const TimelineEvent& event,
                        const TimelineTables& tables,
                        std::size_t collectives) {
  if (event.name.value < 0 || event.name.index() >= tables.names.size()) {
    return fmt::format("it has name {} of {}", event.name.value, tables.names.size());
  }
  if (event.process >= tables.processes.size()) {
    return fmt::format("it is of process {} of {}", event.process, tables.processes.size());
  }
  if (event.collective < -1 || event.collective >= static_cast<std::int64_t>(collectives)) {
    return fmt::format("it has collective {} of {}", event.collective, collectives);
  }
  if (event.duration_ns < 0) {
    return fmt::format("its duration is negative ({} ns)", event.duration_ns);
  }
  if (event.start_ns > std::numeric_limits<std::int64_t>::max() - event.duration_ns) {
    return "it ends beyond the range of 64-bit nanoseconds";
  }
  return {};
}

std::string collective_operation(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 19> kNames{{
      {"alltoall", "all_to_all"},
      {"alltoallv", "all_to_all"},
      {"alltoallbase", "all_to_all"},
      {"allreduce", "all_reduce"},
      {"allreducecoalesced", "all_reduce"},
      {"allgather", "all_gather"},
      {"allgatherbase", "all_gather"},
      {"allgatherintotensorcoalesced", "all_gather"},
      {"allgatherv", "all_gather"},
      {"reducescatter", "reduce_scatter"},
      {"reducescatterbase", "reduce_scatter"},
      {"reducescattertensorcoalesced", "reduce_scatter"},
      {"reducescatterv", "reduce_scatter"},
      {"broadcast", "broadcast"},
      {"broadcastoop", "broadcast"},
      {"sendrecv", "send_receive"},
      {"recv", "receive"},
      {"reduceoop", "reduce"},
      {"barrier", "barrier"},
  }};
  const std::string letters = bare(name);
  const auto* found = std::find_if(kNames.begin(), kNames.end(), [&letters](const auto& entry) {
    return entry.first == letters;
  });
  return found == kNames.end() ? lower_case(name) : std::string(found->second);
}

std::int32_t data_type_bytes(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, std::int32_t>, 36> kTypes{{
      {"char", 1},        {"byte", 1},         {"int8", 1},           {"uint8", 1},
      {"bool", 1},        {"float8e4m3fn", 1}, {"float8e5m2", 1},     {"float8e4m3", 1},
      {"fp8e4m3", 1},     {"fp8e5m2", 1},      {"f8e4m3", 1},         {"f8e5m2", 1},
      {"short", 2},       {"half", 2},         {"bfloat16", 2},       {"float16", 2},
      {"fp16", 2},        {"bf16", 2},         {"int16", 2},          {"uint16", 2},
      {"int", 4},         {"int32", 4},        {"uint32", 4},         {"float", 4},
      {"float32", 4},     {"fp32", 4},         {"long", 8},           {"int64", 8},
      {"uint64", 8},      {"double", 8},       {"float64", 8},        {"fp64", 8},
      {"complexhalf", 4}, {"complexfloat", 8}, {"complexdouble", 16}, {"signedchar", 1},
  }};
  const std::string letters = bare(name);
  const auto* found = std::find_if(kTypes.begin(), kTypes.end(), [&letters](const auto& entry) {
    return entry.first == letters;
  });
  return found == kTypes.end() ? 0 : found->second;
}

}  // namespace switchyard
