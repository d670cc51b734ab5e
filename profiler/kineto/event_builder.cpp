// Field by field with the traps of each: times are microseconds with up to three decimals and up to
// 19 digits, split lists are cut at 30 entries, older traces say the device only as "pid".
#include "profiler/kineto/event_builder.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "profiler/decimal.hpp"
#include "profiler/timeline_importer.hpp"

namespace switchyard {
namespace {

using Field = KinetoField;
using NoteKind = TimelineNote::Kind;

constexpr std::array<std::pair<std::string_view, EventKind>, 18> kCategories{{
    {"kernel", EventKind::Kernel},
    {"gpu_kernel", EventKind::Kernel},
    {"gpu_memcpy", EventKind::Memcpy},
    {"memcpy", EventKind::Memcpy},
    {"memcopy", EventKind::Memcpy},
    {"gpu_memset", EventKind::Memset},
    {"memset", EventKind::Memset},
    {"cuda_runtime", EventKind::ApiCall},
    {"cuda_driver", EventKind::ApiCall},
    {"hip_runtime", EventKind::ApiCall},
    {"runtime", EventKind::ApiCall},
    {"driver", EventKind::ApiCall},
    {"user_annotation", EventKind::Range},
    {"nvtx", EventKind::Range},
    {"gpu_user_annotation", EventKind::DeviceRange},
    {"cuda_sync", EventKind::Synchronisation},
    {"synchronization", EventKind::Synchronisation},
    {"overhead", EventKind::Overhead},
}};

std::optional<EventKind> kind_of(std::string_view category) {
  const auto is_same = [category](const auto& entry) {
    return std::equal(entry.first.begin(),
                      entry.first.end(),
                      category.begin(),
                      category.end(),
                      [](char known, char given) {
                        return known == std::tolower(static_cast<unsigned char>(given));
                      });
  };
  const auto* found = std::find_if(kCategories.begin(), kCategories.end(), is_same);
  return found == kCategories.end() ? std::nullopt : std::optional(found->second);
}

// "[4, 4, 8]" as numbers; `is_cut` when the list ends in "...".
template <class T>
std::optional<std::vector<T>> parse_list(std::string_view text, bool& is_cut) {
  std::vector<T> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    if (*at >= '0' && *at <= '9') {
      T number{};
      const auto [stopped, problem] = std::from_chars(at, end, number);
      if (problem != std::errc()) {
        return std::nullopt;
      }
      numbers.push_back(number);
      at = stopped;
      continue;
    }
    if (std::string_view("[], .").find(*at) == std::string_view::npos) {
      return std::nullopt;
    }
    is_cut = is_cut || *at == '.';
    ++at;
  }
  return numbers;
}

bool is_host(EventKind kind) {
  return kind == EventKind::ApiCall || kind == EventKind::Range || kind == EventKind::Overhead;
}

}  // namespace

KinetoEventBuilder::KinetoEventBuilder(const std::filesystem::path& path,
                                       TimelineSink& sink,
                                       std::int32_t rank)
    : path_(path),
      sink_(sink),
      process_(static_cast<std::uint16_t>(sink.tables.processes.size())),
      rank_(rank) {
  sink.tables.processes.emplace_back();
  sink.tables.format = "kineto";
  sink.tables.source = path.string();
}

TimelineProcess& KinetoEventBuilder::process() {
  return sink_.tables.processes[process_];
}

Location KinetoEventBuilder::where(const KinetoEvent& event) const {
  return Location{path_.string(), ""}.at_offset(event.offset);
}

std::int64_t KinetoEventBuilder::whole(const KinetoEvent& event, Field field) const {
  if (event.text(field).empty()) {
    return -1;
  }
  const auto number = scaled_decimal(event.text(field), 0);
  if (!number) {
    throw InvalidInput(fmt::format("\"{}\" is \"{}\": wanted a whole number",
                                   kKinetoKeys[static_cast<std::size_t>(field)],
                                   event.text(field).substr(0, 40)),
                       where(event));
  }
  return *number;
}

std::int64_t KinetoEventBuilder::time_ns(const KinetoEvent& event, Field field) const {
  const auto nanoseconds = scaled_decimal(event.text(field), 3);
  if (!nanoseconds) {
    throw InvalidInput(
        fmt::format("\"{}\" is \"{}\": wanted microseconds within the range of 64-bit nanoseconds",
                    kKinetoKeys[static_cast<std::size_t>(field)],
                    event.text(field).substr(0, 40)),
        where(event));
  }
  return *nanoseconds;
}

// A name is checked when it is first seen.
NameId KinetoEventBuilder::intern(const KinetoEvent& event, std::string_view text) {
  const std::size_t known = sink_.tables.names.size();
  const NameId id = sink_.intern(text);
  if (sink_.tables.names.size() > known) {
    try {
      (void)nlohmann::json(text).dump();
    } catch (const nlohmann::json::type_error&) {
      throw InvalidInput("a name is no valid UTF-8", where(event));
    }
  }
  return id;
}

void KinetoEventBuilder::place(const KinetoEvent& event, TimelineEvent& to) {
  const auto narrow = [&](std::int64_t number) {
    if (number < -1 || number > std::numeric_limits<std::int32_t>::max()) {
      throw InvalidInput(fmt::format("device {} is out of range", number), where(event));
    }
    return static_cast<std::int32_t>(number);
  };
  const auto track = [](std::string_view text) { return scaled_decimal(text, 0).value_or(-1); };
  if (is_host(to.kind)) {
    to.stream = track(event.text(Field::Thread));
    if (process().process_id < 0) {
      process().process_id = track(event.text(Field::Process));
    }
  } else if (to.kind == EventKind::Synchronisation && !event.has(Field::Device)) {
    to.stream = whole(event, Field::Stream);
  } else {
    // Where there is no "device", the process number is the device's.
    to.device = narrow(event.has(Field::Device) ? whole(event, Field::Device)
                                                : track(event.text(Field::Process)));
    to.stream =
        event.has(Field::Stream) ? whole(event, Field::Stream) : track(event.text(Field::Thread));
  }
  to.correlation = event.has(Field::Correlation) ? whole(event, Field::Correlation)
                                                 : whole(event, Field::CorrelationId);
  to.bytes = whole(event, Field::Bytes);
  if (to.kind == EventKind::Memcpy && event.text(Field::Name).find("PtoP") != std::string::npos) {
    to.kind = EventKind::PeerCopy;
    to.peer_device = narrow(whole(event, Field::ToDevice));
  }
}

void KinetoEventBuilder::add_collective(const KinetoEvent& event, TimelineEvent& to) {
  CollectiveDetail detail;
  detail.operation = intern(event, collective_operation(event.text(Field::CollectiveName)));
  detail.data_type = intern(event, event.text(Field::DataType));
  const Field group = event.has(Field::GroupName) ? Field::GroupName : Field::CommunicatorId;
  detail.group = intern(event, event.text(group));
  detail.element_bytes = data_type_bytes(event.text(Field::DataType));
  detail.in_elements = whole(event, Field::InElements);
  detail.out_elements = whole(event, Field::OutElements);
  detail.group_size = static_cast<std::int32_t>(whole(event, Field::GroupSize));
  detail.sequence = whole(event, Field::Sequence);
  detail.source_rank = static_cast<std::int32_t>(whole(event, Field::SourceRank));
  detail.destination_rank = static_cast<std::int32_t>(whole(event, Field::DestinationRank));
  bool ranks_are_cut = false;
  auto in_splits = parse_list<std::int64_t>(event.text(Field::InSplits), detail.has_cut_splits);
  auto out_splits = parse_list<std::int64_t>(event.text(Field::OutSplits), detail.has_cut_splits);
  auto ranks = parse_list<std::int32_t>(event.text(Field::GroupRanks), ranks_are_cut);
  if (!in_splits || !out_splits || !ranks) {
    throw InvalidInput("a list of splits or ranks holds something else than numbers", where(event));
  }
  if (detail.has_cut_splits) {
    sink_.tables.note(NoteKind::Lost, "split list cut by the profiler (\"...\"): not used");
  } else {
    detail.in_splits = std::move(*in_splits);
    detail.out_splits = std::move(*out_splits);
  }
  if (!ranks_are_cut) {
    detail.ranks = std::move(*ranks);
  }
  const bool has_bytes = detail.in_elements >= 0 && detail.element_bytes > 0 &&
                         detail.in_elements < (INT64_C(1) << 56);
  if (has_bytes) {
    to.bytes = detail.in_elements * detail.element_bytes;
  } else if (detail.in_elements >= 0 && detail.element_bytes == 0) {
    sink_.tables.note(
        NoteKind::Doubtful,
        fmt::format("collective of data type \"{}\", whose size is not known: bytes left open",
                    event.text(Field::DataType)));
  }
  to.collective = sink_.add(detail);
}

bool KinetoEventBuilder::is_whole(const KinetoEvent& event, const TimelineEvent& built) {
  if (built.duration_ns < 0) {
    sink_.tables.note(
        NoteKind::Repaired,
        fmt::format("{} of negative duration: left out", event.text(Field::Category)));
    return false;
  }
  if (built.start_ns > std::numeric_limits<std::int64_t>::max() - built.duration_ns) {
    throw InvalidInput("the event ends beyond the range of 64-bit nanoseconds", where(event));
  }
  return true;
}

bool KinetoEventBuilder::knows(std::string_view category) {
  return kind_of(category).has_value();
}

void KinetoEventBuilder::add(const KinetoEvent& event) {
  const std::string_view category = event.text(Field::Category);
  const std::string_view phase = event.text(Field::Phase);
  const auto kind = kind_of(category);
  if (phase != "X" || !kind) {
    if (phase != "M") {  // names and sort orders of tracks
      leave_out(category, phase);
    }
    return;
  }
  for (const Field needed : {Field::Start, Field::Duration}) {
    if (!event.has(needed)) {
      throw InvalidInput(
          fmt::format(
              "a {} event without \"{}\"", category, kKinetoKeys[static_cast<std::size_t>(needed)]),
          where(event));
    }
  }
  TimelineEvent built;
  built.kind = *kind;
  built.process = process_;
  built.start_ns = time_ns(event, Field::Start);
  built.duration_ns = time_ns(event, Field::Duration);
  place(event, built);
  if (!is_whole(event, built)) {
    return;
  }
  built.name = intern(event, event.text(Field::Name));
  if (event.has(Field::CollectiveName) && *kind == EventKind::Kernel) {
    add_collective(event, built);
  }
  sink_.add(built);
  ++events_;
}

void KinetoEventBuilder::add(const TimelineDevice& device) {
  if (device.device >= 0) {
    sink_.tables.devices.push_back(device);
    sink_.tables.devices.back().process = process_;
  }
}

void KinetoEventBuilder::set_epoch(std::string_view text, const Location& where) {
  const auto nanoseconds = scaled_decimal(text, 0);
  if (!nanoseconds) {
    throw InvalidInput(fmt::format("\"baseTimeNanoseconds\" is \"{}\"", text.substr(0, 40)), where);
  }
  process().epoch_unix_ns = nanoseconds;
}

void KinetoEventBuilder::set_distributed(const std::string& key,
                                         std::string_view text,
                                         const Location& where) {
  if (key != "rank" && key != "world_size") {
    return;
  }
  const auto number = scaled_decimal(text, 0);
  if (!number || *number < 0 || *number > std::numeric_limits<std::int32_t>::max()) {
    throw InvalidInput(fmt::format("\"{}\" is \"{}\"", key, text.substr(0, 40)), where);
  }
  (key == "rank" ? process().rank : process().world_size) = static_cast<std::int32_t>(*number);
}

void KinetoEventBuilder::set_device(TimelineDevice& device,
                                    const std::string& key,
                                    std::string_view text) {
  const std::int64_t number = scaled_decimal(text, 0).value_or(-1);
  if (key == "id") {
    device.device = static_cast<std::int32_t>(number);
  } else if (key == "name") {
    device.name = std::string(text);
  } else if (key == "numSms") {
    device.multiprocessors = static_cast<std::int32_t>(number);
  } else if (key == "totalGlobalMem") {
    device.memory_bytes = number;
  }
}

// Most events of a trace are CPU operators: their note is written once, at the end.
void KinetoEventBuilder::leave_out(std::string_view category, std::string_view phase) {
  const auto is_same = [&](const LeftOut& known) {
    return known.category == category && known.phase == phase;
  };
  auto found = std::find_if(left_out_.begin(), left_out_.end(), is_same);
  if (found == left_out_.end()) {
    found =
        left_out_.insert(found, {.category = std::string(category), .phase = std::string(phase)});
  }
  found->count += 1;
}

void KinetoEventBuilder::finish() {
  for (const LeftOut& left_out : left_out_) {
    sink_.tables.note(NoteKind::LeftOut,
                      left_out.phase == "X"
                          ? fmt::format("{} events", left_out.category)
                          : fmt::format("{} events of phase {}", left_out.category, left_out.phase),
                      left_out.count);
  }
  if (events_ == 0) {
    throw InvalidInput("holds no kernel, copy, range or call: an empty trace",
                       {path_.string(), ""},
                       "profile with activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]");
  }
  if (rank_ >= 0) {
    process().rank = rank_;
  } else if (process().rank < 0) {
    process().rank = rank_in_name(path_);
    if (process().rank >= 0) {
      sink_.tables.note(NoteKind::Doubtful, "rank taken from the file's name");
    }
  }
}

}  // namespace switchyard
