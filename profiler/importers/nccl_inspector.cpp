// NCCL Inspector: one JSON object a line and operation. A line says how long an operation took and
// how much it moved, and when it was written down, not when the operation began: its start is the
// time stamp less the duration, which is noted. Send rows are the measured traffic matrix.
#include <algorithm>
#include <limits>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/files/json_file.hpp"
#include "core/files/text_reader.hpp"
#include "profiler/timeline_importer.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using NoteKind = TimelineNote::Kind;

constexpr std::size_t kInspectorHead = 4096;
constexpr double kLongestMicroseconds = 9e12;

// One line's object with checked access.
class Record {
 public:
  Record(const json& document, Location where) : document_(document), where_(std::move(where)) {}

  [[nodiscard]] bool has(const char* section) const { return document_.contains(section); }

  [[nodiscard]] std::int64_t whole(const char* section, const char* key) const {
    const json& value = at(section, key);
    if (!value.is_number_integer() || value.get<std::int64_t>() < 0) {
      fail(section, key, "is no whole number");
    }
    return value.get<std::int64_t>();
  }

  [[nodiscard]] std::int32_t narrow(const char* section, const char* key) const {
    const std::int64_t value = whole(section, key);
    if (value > std::numeric_limits<std::int32_t>::max()) {
      fail(section, key, "is out of range");
    }
    return static_cast<std::int32_t>(value);
  }

  [[nodiscard]] std::int64_t nanoseconds(const char* section, const char* key) const {
    const json& value = at(section, key);
    if (value.is_number_integer()) {
      const auto whole_us = whole(section, key);
      if (whole_us > std::numeric_limits<std::int64_t>::max() / 1000) {
        fail(section, key, "is out of range");
      }
      return whole_us * 1000;
    }
    if (!value.is_number() || !(value.get<double>() >= 0) ||
        value.get<double>() > kLongestMicroseconds) {
      fail(section, key, "is no duration");
    }
    return static_cast<std::int64_t>(value.get<double>() * 1000 + 0.5);
  }

  [[nodiscard]] std::string text(const char* section, const char* key) const {
    const json& value = at(section, key);
    if (!value.is_string()) {
      fail(section, key, "is no text");
    }
    return value.get<std::string>();
  }

  [[nodiscard]] std::string text_or(const char* section, const char* key, const char* other) const {
    const bool is_there = has(section) && document_[section].is_object() &&
                          document_[section].contains(key) && document_[section][key].is_string();
    return is_there ? document_[section][key].get<std::string>() : other;
  }

 private:
  [[nodiscard]] const json& at(const char* section, const char* key) const {
    if (!has(section) || !document_[section].is_object() || !document_[section].contains(key)) {
      throw InvalidInput(fmt::format("has no {}/{}", section, key), where_);
    }
    return document_[section][key];
  }

  [[noreturn]] void fail(const char* section, const char* key, const char* what) const {
    throw InvalidInput(
        fmt::format("{}/{} {}: {}", section, key, what, document_[section][key].dump()), where_);
  }

  const json& document_;
  Location where_;
};

class LogReader {
 public:
  explicit LogReader(TimelineSink& sink) : sink_(sink) {}

  void add(const Record& record) {
    if (!record.has("coll_perf") && !record.has("p2p_perf")) {
      sink_.tables.note(NoteKind::LeftOut, "records that are no operation");
      return;
    }
    const bool is_collective = record.has("coll_perf");
    const char* part = is_collective ? "coll_perf" : "p2p_perf";
    CollectiveDetail detail;
    detail.operation =
        sink_.intern(collective_operation(record.text(part, is_collective ? "coll" : "p2p")));
    detail.data_type = sink_.intern("byte");
    detail.element_bytes = 1;
    detail.group = sink_.intern(record.text_or("header", "id", ""));
    detail.group_size = record.narrow("header", "n_ranks");
    detail.sequence = record.whole(part, is_collective ? "coll_sn" : "p2p_sn");
    const std::int64_t bytes =
        record.whole(part, is_collective ? "coll_msg_size_bytes" : "p2p_msg_size_bytes");
    detail.in_elements = bytes;
    const std::int32_t rank = record.narrow("header", "rank");
    if (!is_collective) {
      const std::int32_t peer = record.narrow(part, "p2p_peer");
      const bool is_send = sink_.tables.names.text(detail.operation) == "send";
      detail.source_rank = is_send ? rank : peer;
      detail.destination_rank = is_send ? peer : rank;
    }
    TimelineEvent event;
    event.kind = EventKind::Communication;
    event.process = process(record, rank, detail.group_size);
    event.name = detail.operation;
    event.bytes = bytes;
    event.duration_ns =
        record.nanoseconds(part, is_collective ? "coll_exec_time_us" : "p2p_exec_time_us");
    event.start_ns = record.nanoseconds("metadata", "dump_timestamp_us") - event.duration_ns;
    event.collective = sink_.add(detail);
    sink_.add(event);
    note_source(record, part, is_collective);
    ++operations_;
  }

  [[nodiscard]] std::int64_t operations() const { return operations_; }

 private:
  // A process may be in several communicators and has another rank in each: the largest one's
  // counts as the rank.
  std::uint16_t process(const Record& record, std::int32_t rank, std::int32_t size) {
    const std::string host = record.text_or("metadata", "hostname", "");
    const std::int64_t id = record.whole("metadata", "pid");
    const auto [found, is_new] = processes_.try_emplace(
        {host, id}, static_cast<std::uint16_t>(sink_.tables.processes.size()));
    if (is_new) {
      sink_.tables.processes.push_back(
          {.rank = rank, .world_size = size, .process_id = id, .host = host, .epoch_unix_ns = 0});
    }
    TimelineProcess& known = sink_.tables.processes[found->second];
    if (size > known.world_size) {
      known.rank = rank;
      known.world_size = size;
    }
    return found->second;
  }

  void note_source(const Record& record, const char* part, bool is_collective) {
    const std::string source =
        record.text_or(part, is_collective ? "coll_timing_source" : "p2p_timing_source", "");
    if (!source.empty() && source != "kernel_gpu") {
      sink_.tables.note(NoteKind::Doubtful,
                        fmt::format("operation timed by {}, not by the GPU", source));
    }
  }

  TimelineSink& sink_;
  std::map<std::pair<std::string, std::int64_t>, std::uint16_t> processes_;
  std::int64_t operations_ = 0;
};

class NcclInspectorImporter final : public TimelineImporter {
 public:
  explicit NcclInspectorImporter(Parameters& /*parameters*/) {}

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    const std::string start = first_bytes(path, kInspectorHead);
    return start.starts_with('{') &&
           start.find("\"inspector_output_format_version\"") != std::string::npos;
  }

  void read(const std::filesystem::path& path,
            TimelineSink& sink,
            const Progress& /*progress*/) const override {
    sink.tables.format = "nccl_inspector";
    sink.tables.source = path.string();
    TextReader reader(path);
    std::string_view line;
    LogReader log(sink);
    while (reader.next(line)) {
      if (!line.empty()) {
        const json document = parse_json(line, {path.string(), ""}, reader.line_number());
        if (!document.is_object()) {
          throw InvalidInput("is no JSON object", reader.where());
        }
        log.add(Record(document, reader.where()));
      }
    }
    if (log.operations() == 0) {
      throw InvalidInput("holds no operation: an empty log",
                         {path.string(), ""},
                         "set NCCL_INSPECTOR_DUMP_MIN_SIZE_BYTES=0 to see messages under 8 KiB");
    }
    sink.tables.note(
        NoteKind::Doubtful,
        "operation whose start is the log's time stamp less its duration: order and gaps are not "
        "measured",
        log.operations());
  }
};

const Register<TimelineImporter, NcclInspectorImporter> kNcclInspector{
    "nccl_inspector", "NCCL Inspector log: operations and messages as JSON lines"};

}  // namespace
}  // namespace switchyard
