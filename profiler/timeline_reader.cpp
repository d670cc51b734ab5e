// Nothing in the file is trusted: a row that the model cannot hold is an error with its number.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "profiler/timeline_file.hpp"

namespace switchyard {
namespace {

constexpr std::array<const char*, 8> kNeeded{
    "timeline", "process", "name", "event", "collective", "summary", "timing", "note"};

// Reads the columns of the current row in order.
class Row {
 public:
  Row(const SqliteStatement& statement, std::string table, std::int64_t number, Location where)
      : statement_(statement),
        table_(std::move(table)),
        number_(number),
        where_(std::move(where)) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw InvalidInput(fmt::format("table \"{}\", row {}: {}", table_, number_, what),
                       where_,
                       "the file was changed or is damaged: import or record it again");
  }

  // An integer inside the range of T; NULL gives `missing`.
  template <class T>
  T known(T missing) {
    const int column = next_++;
    if (statement_.is_null(column)) {
      return missing;
    }
    if (!statement_.is_integer(column)) {
      fail(fmt::format("{} is no whole number", statement_.column_name(column)));
    }
    const std::int64_t value = statement_.integer(column);
    if (value < static_cast<std::int64_t>(std::numeric_limits<T>::min()) ||
        value > static_cast<std::int64_t>(std::numeric_limits<T>::max())) {
      fail(fmt::format("{} = {} is out of range", statement_.column_name(column), value));
    }
    return static_cast<T>(value);
  }

  template <class T>
  T whole() {
    if (statement_.is_null(next_)) {
      fail(fmt::format("{} is missing", statement_.column_name(next_)));
    }
    return known<T>(T{});
  }

  double real(double missing) {
    const int column = next_++;
    if (statement_.is_null(column)) {
      return missing;
    }
    if (!statement_.is_real(column) && !statement_.is_integer(column)) {
      fail(fmt::format("{} is no number", statement_.column_name(column)));
    }
    return statement_.real(column);
  }

  std::string text() { return std::string(statement_.text(next_++)); }

  NameId name(const TimelineTables& tables) {
    const NameId id(known<std::int32_t>(-1));
    if (id.value < -1 || (id.is_valid() && id.index() >= tables.names.size())) {
      fail(fmt::format("there is no name {}", id.value));
    }
    return id;
  }

  EventKind kind() {
    const auto number = whole<std::int64_t>();
    if (number < 0 || number >= static_cast<std::int64_t>(kEventKinds)) {
      fail(fmt::format("there is no kind {}", number));
    }
    return static_cast<EventKind>(number);
  }

  std::uint16_t process(const TimelineTables& tables) {
    const auto number = whole<std::uint16_t>();
    if (number >= tables.processes.size()) {
      fail(fmt::format("there is no process {}", number));
    }
    return number;
  }

  template <class T>
  std::vector<T> list() {
    const std::string_view text = statement_.text(next_++);
    std::vector<T> numbers;
    if (text.empty()) {
      return numbers;
    }
    const char* at = text.data() + 1;
    const char* const end = text.data() + text.size();
    bool is_good = text.front() == '[' && text.back() == ']';
    while (is_good && at < end - 1) {
      T number{};
      const auto [stopped, problem] = std::from_chars(at, end, number);
      is_good = problem == std::errc() && (*stopped == ',' || stopped == end - 1);
      numbers.push_back(number);
      at = stopped + 1;
    }
    if (!is_good) {
      fail(fmt::format("\"{}\" is no list of numbers", text.substr(0, 40)));
    }
    return numbers;
  }

 private:
  const SqliteStatement& statement_;
  std::string table_;
  std::int64_t number_;
  Location where_;
  int next_ = 0;
};

template <class Use>
void each_row(const SqliteDatabase& database,
              const std::string& table,
              const std::string& columns,
              const Use& use) {
  SqliteStatement query(database, "SELECT " + columns + " FROM " + table + " ORDER BY rowid");
  for (std::int64_t number = 1; query.step(); ++number) {
    Row row(query, table, number, database.where());
    use(row);
  }
}

void read_version(const SqliteDatabase& database, TimelineTables& tables) {
  std::int64_t version = 0;
  std::string program;
  each_row(database, "timeline", "format_version, program_version, format, source", [&](Row& row) {
    version = row.whole<std::int64_t>();
    program = row.text();
    tables.format = row.text();
    tables.source = row.text();
  });
  if (version < 1) {
    throw InvalidInput("names no format version: no measured timeline", database.where());
  }
  if (version > kTimelineFormatVersion) {
    throw InvalidInput(fmt::format("is of timeline format {}, newer than this program's {}",
                                   version,
                                   kTimelineFormatVersion),
                       database.where(),
                       "it was written by switchyard " + program);
  }
}

void read_names(const SqliteDatabase& database, TimelineTables& tables) {
  each_row(database, "name", "name, text", [&](Row& row) {
    const auto number = row.whole<std::int32_t>();
    if (number != static_cast<std::int32_t>(tables.names.size()) ||
        tables.names.intern(row.text()).value != number) {
      row.fail("names must be numbered from 0 without gaps, each text once");
    }
  });
}

void read_processes(const SqliteDatabase& database, TimelineTables& tables) {
  std::set<std::int32_t> ranks;
  each_row(database,
           "process",
           "process, rank, world_size, process_id, host, epoch_unix_ns",
           [&](Row& row) {
             if (row.whole<std::uint16_t>() != tables.processes.size()) {
               row.fail("processes must be numbered from 0 without gaps");
             }
             TimelineProcess process;
             process.rank = row.known<std::int32_t>(-1);
             process.world_size = row.known<std::int32_t>(-1);
             process.process_id = row.known<std::int64_t>(-1);
             process.host = row.text();
             const auto epoch = row.known(std::numeric_limits<std::int64_t>::min());
             if (epoch != std::numeric_limits<std::int64_t>::min()) {
               process.epoch_unix_ns = epoch;
             }
             if (process.rank >= 0 && !ranks.insert(process.rank).second) {
               row.fail(fmt::format("rank {} is there twice", process.rank));
             }
             tables.processes.push_back(process);
           });
  each_row(
      database, "device", "process, device, name, multiprocessors, memory_bytes", [&](Row& row) {
        TimelineDevice device;
        device.process = row.process(tables);
        device.device = row.whole<std::int32_t>();
        device.name = row.text();
        device.multiprocessors = row.known<std::int32_t>(-1);
        device.memory_bytes = row.known<std::int64_t>(-1);
        tables.devices.push_back(device);
      });
}

void read_totals(const SqliteDatabase& database, TimelineTables& tables) {
  each_row(database,
           "summary",
           "kind, name, process, count, total_ns, min_ns, median_ns, max_ns",
           [&](Row& row) {
             EventSummary entry;
             entry.kind = row.kind();
             entry.name = row.name(tables);
             entry.process = row.process(tables);
             entry.count = row.whole<std::int64_t>();
             entry.total_ns = row.whole<std::int64_t>();
             entry.min_ns = row.real(-1);
             entry.median_ns = row.real(-1);
             entry.max_ns = row.real(-1);
             tables.summaries.push_back(entry);
           });
  each_row(database,
           "timing",
           "operation, data_type, ranks, rank, bytes, time_ns, algorithm_bandwidth, "
           "bus_bandwidth, in_place, wrong",
           [&](Row& row) {
             CollectiveTiming entry;
             entry.operation = row.name(tables);
             entry.data_type = row.name(tables);
             entry.ranks = row.known<std::int32_t>(-1);
             entry.rank = row.known<std::int32_t>(-1);
             entry.bytes = row.known<std::int64_t>(-1);
             entry.time_ns = row.real(0);
             entry.algorithm_bandwidth = row.real(-1);
             entry.bus_bandwidth = row.real(-1);
             entry.is_in_place = row.known<std::int64_t>(0) != 0;
             entry.wrong = row.known<std::int64_t>(-1);
             tables.timings.push_back(entry);
           });
  each_row(database, "counter", "process, kernel, counter, value, unit", [&](Row& row) {
    CounterValue entry;
    entry.process = row.process(tables);
    entry.kernel = row.name(tables);
    entry.counter = row.text();
    entry.value = row.real(0);
    entry.unit = row.text();
    tables.counters.push_back(entry);
  });
  each_row(database, "note", "kind, text, count", [&](Row& row) {
    const auto kind = parse_note_kind(row.text());
    if (!kind) {
      row.fail("there is no such kind of note");
    }
    const std::string text = row.text();
    tables.note(*kind, text, row.whole<std::int64_t>());
  });
}

std::size_t read_collectives(const SqliteDatabase& database, TimelineSink& sink) {
  std::size_t count = 0;
  each_row(database,
           "collective",
           "collective, operation, data_type, communicator, element_bytes, in_elements, "
           "out_elements, sequence, group_size, source_rank, destination_rank, splits_cut, "
           "in_splits, out_splits, ranks",
           [&](Row& row) {
             if (row.whole<std::int64_t>() != static_cast<std::int64_t>(count)) {
               row.fail("collectives must be numbered from 0 without gaps");
             }
             CollectiveDetail detail;
             detail.operation = row.name(sink.tables);
             detail.data_type = row.name(sink.tables);
             detail.group = row.name(sink.tables);
             detail.element_bytes = row.known<std::int32_t>(0);
             detail.in_elements = row.known<std::int64_t>(-1);
             detail.out_elements = row.known<std::int64_t>(-1);
             detail.sequence = row.known<std::int64_t>(-1);
             detail.group_size = row.known<std::int32_t>(-1);
             detail.source_rank = row.known<std::int32_t>(-1);
             detail.destination_rank = row.known<std::int32_t>(-1);
             detail.has_cut_splits = row.known<std::int64_t>(0) != 0;
             detail.in_splits = row.list<std::int64_t>();
             detail.out_splits = row.list<std::int64_t>();
             detail.ranks = row.list<std::int32_t>();
             sink.add(detail);
             ++count;
           });
  return count;
}

void read_events(const SqliteDatabase& database, std::size_t collectives, TimelineSink& sink) {
  each_row(database,
           "event",
           "process, kind, name, start_ns, duration_ns, device, stream, correlation, bytes, "
           "peer_device, collective",
           [&](Row& row) {
             TimelineEvent event;
             event.process = row.whole<std::uint16_t>();
             event.kind = row.kind();
             event.name = NameId(row.whole<std::int32_t>());
             event.start_ns = row.whole<std::int64_t>();
             event.duration_ns = row.whole<std::int64_t>();
             event.device = row.known<std::int32_t>(-1);
             event.stream = row.known<std::int64_t>(-1);
             event.correlation = row.known<std::int64_t>(-1);
             event.bytes = row.known<std::int64_t>(-1);
             event.peer_device = row.known<std::int32_t>(-1);
             event.collective = row.known<std::int32_t>(-1);
             const std::string fault = event_fault(event, sink.tables, collectives);
             if (!fault.empty()) {
               row.fail(fault);
             }
             sink.add(event);
           });
}

}  // namespace

bool is_timeline_file(const std::filesystem::path& path) {
  const SqliteDatabase database(path, SqliteDatabase::Mode::ReadOnly, {path.string(), ""});
  const auto tables = database.tables();
  return std::find(tables.begin(), tables.end(), "timeline") != tables.end();
}

void read_timeline(const std::filesystem::path& path, TimelineSink& sink) {
  const SqliteDatabase database(path, SqliteDatabase::Mode::ReadOnly, {path.string(), ""});
  const auto tables = database.tables();
  for (const char* needed : kNeeded) {
    if (std::find(tables.begin(), tables.end(), needed) == tables.end()) {
      throw InvalidInput(
          fmt::format("is an SQLite file, but no measured timeline: it has no table \"{}\"",
                      needed),
          database.where());
    }
  }
  sink.tables = {};
  read_version(database, sink.tables);
  read_names(database, sink.tables);
  read_processes(database, sink.tables);
  read_totals(database, sink.tables);
  read_events(database, read_collectives(database, sink), sink);
}

EventTimeline read_timeline(const std::filesystem::path& path) {
  EventTimeline timeline;
  read_timeline(path, timeline);
  return timeline;
}

}  // namespace switchyard
