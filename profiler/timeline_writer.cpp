// SQLite writes into AtomicFile's temporary file, without a journal of its own: the rename is the
// transaction.
#include "core/check.hpp"
#include "core/files/atomic_file.hpp"
#include "core/version.hpp"
#include "profiler/timeline_file.hpp"
#include "profiler/timeline_schema.hpp"

namespace switchyard {
namespace {

template <class Number>
std::string list_text(const std::vector<Number>& numbers) {
  std::string text = "[";
  for (const Number number : numbers) {
    text += (text.size() > 1 ? "," : "") + std::to_string(number);
  }
  return text + "]";
}

// Binds a row's values in order; "not recorded" becomes NULL.
class RowToWrite {
 public:
  explicit RowToWrite(SqliteStatement& statement) : statement_(statement) {}

  RowToWrite& whole(std::int64_t value) {
    statement_.bind(next_++, value);
    return *this;
  }

  RowToWrite& known(std::int64_t value) { return value == -1 ? null() : whole(value); }

  RowToWrite& real(double value) {
    if (value < 0) {
      return null();
    }
    return number(value);
  }

  RowToWrite& number(double value) {
    statement_.bind(next_++, value);
    return *this;
  }

  RowToWrite& text(std::string_view value) {
    statement_.bind(next_++, value);
    return *this;
  }

  RowToWrite& name(NameId id) { return known(id.value); }

  template <class T>
  RowToWrite& list(const std::vector<T>& values) {
    return values.empty() ? null() : text(list_text(values));
  }

  RowToWrite& null() {
    statement_.bind_null(next_++);
    return *this;
  }

  void insert() {
    statement_.execute();
    next_ = 0;
  }

 private:
  SqliteStatement& statement_;
  int next_ = 0;
};

void write_processes(const SqliteDatabase& database, const TimelineTables& tables) {
  SqliteStatement insert(database, insert_statement("process", 6));
  for (std::size_t i = 0; i < tables.processes.size(); ++i) {
    const TimelineProcess& process = tables.processes[i];
    RowToWrite row(insert);
    row.whole(static_cast<std::int64_t>(i))
        .known(process.rank)
        .known(process.world_size)
        .known(process.process_id)
        .text(process.host);
    if (process.epoch_unix_ns) {
      row.whole(*process.epoch_unix_ns);
    } else {
      row.null();
    }
    row.insert();
  }
  SqliteStatement insert_device(database, insert_statement("device", 5));
  for (const TimelineDevice& device : tables.devices) {
    RowToWrite(insert_device)
        .whole(device.process)
        .whole(device.device)
        .text(device.name)
        .known(device.multiprocessors)
        .known(device.memory_bytes)
        .insert();
  }
}

void write_totals(const SqliteDatabase& database, const TimelineTables& tables) {
  SqliteStatement summary(database, insert_statement("summary", 8));
  for (const EventSummary& entry : tables.summaries) {
    RowToWrite(summary)
        .whole(static_cast<std::int64_t>(entry.kind))
        .name(entry.name)
        .whole(entry.process)
        .whole(entry.count)
        .whole(entry.total_ns)
        .real(entry.min_ns)
        .real(entry.median_ns)
        .real(entry.max_ns)
        .insert();
  }
  SqliteStatement timing(database, insert_statement("timing", 10));
  for (const CollectiveTiming& entry : tables.timings) {
    RowToWrite(timing)
        .name(entry.operation)
        .name(entry.data_type)
        .known(entry.ranks)
        .known(entry.rank)
        .known(entry.bytes)
        .number(entry.time_ns)
        .real(entry.algorithm_bandwidth)
        .real(entry.bus_bandwidth)
        .whole(entry.is_in_place ? 1 : 0)
        .known(entry.wrong)
        .insert();
  }
  SqliteStatement counter(database, insert_statement("counter", 5));
  for (const CounterValue& entry : tables.counters) {
    RowToWrite(counter)
        .whole(entry.process)
        .name(entry.kernel)
        .text(entry.counter)
        .number(entry.value)
        .text(entry.unit)
        .insert();
  }
}

void write_words(const SqliteDatabase& database, const TimelineTables& tables) {
  SqliteStatement timeline(database, insert_statement("timeline", 4));
  RowToWrite(timeline)
      .whole(kTimelineFormatVersion)
      .text(kProgramVersion)
      .text(tables.format)
      .text(tables.source)
      .insert();
  SqliteStatement name(database, insert_statement("name", 2));
  for (std::size_t i = 0; i < tables.names.size(); ++i) {
    RowToWrite(name)
        .whole(static_cast<std::int64_t>(i))
        .text(tables.names.text(NameId(i)))
        .insert();
  }
  SqliteStatement kind(database, insert_statement("event_kind", 2));
  for (std::size_t i = 0; i < kEventKinds; ++i) {
    RowToWrite(kind)
        .whole(static_cast<std::int64_t>(i))
        .text(event_kind_name(static_cast<EventKind>(i)))
        .insert();
  }
  SqliteStatement note(database, insert_statement("note", 3));
  for (const TimelineNote& entry : tables.notes) {
    RowToWrite(note).text(note_kind_name(entry.kind)).text(entry.text).whole(entry.count).insert();
  }
}

}  // namespace

struct TimelineWriter::State {
  State(const std::filesystem::path& path, bool overwrite)
      : file(path, overwrite),
        database(std::in_place,
                 file.temporary_path(),
                 SqliteDatabase::Mode::Write,
                 Location{path.string(), ""}) {
    database->run("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN");
    database->run(std::string(kTimelineTables));
    event.emplace(*database, insert_statement("event", 11));
    collective.emplace(*database, insert_statement("collective", 15));
  }

  AtomicFile file;
  std::optional<SqliteDatabase> database;
  std::optional<SqliteStatement> event;
  std::optional<SqliteStatement> collective;
  std::int64_t events = 0;
  std::int32_t collectives = 0;
};

TimelineWriter::TimelineWriter(const std::filesystem::path& path, bool overwrite)
    : state_(std::make_unique<State>(path, overwrite)) {}

TimelineWriter::TimelineWriter(TimelineWriter&&) noexcept = default;
TimelineWriter& TimelineWriter::operator=(TimelineWriter&&) noexcept = default;
TimelineWriter::~TimelineWriter() = default;

void TimelineWriter::add(const TimelineEvent& event) {
  const std::string fault =
      event_fault(event, tables, static_cast<std::size_t>(state_->collectives));
  SWITCHYARD_CHECK(fault.empty(), "event not fit for a timeline: " + fault);
  RowToWrite(*state_->event)
      .whole(event.process)
      .whole(static_cast<std::int64_t>(event.kind))
      .name(event.name)
      .whole(event.start_ns)
      .whole(event.duration_ns)
      .known(event.device)
      .known(event.stream)
      .known(event.correlation)
      .known(event.bytes)
      .known(event.peer_device)
      .known(event.collective)
      .insert();
  ++state_->events;
}

std::int32_t TimelineWriter::add(const CollectiveDetail& detail) {
  RowToWrite(*state_->collective)
      .whole(state_->collectives)
      .name(detail.operation)
      .name(detail.data_type)
      .name(detail.group)
      .whole(detail.element_bytes)
      .known(detail.in_elements)
      .known(detail.out_elements)
      .known(detail.sequence)
      .known(detail.group_size)
      .known(detail.source_rank)
      .known(detail.destination_rank)
      .whole(detail.has_cut_splits ? 1 : 0)
      .list(detail.in_splits)
      .list(detail.out_splits)
      .list(detail.ranks)
      .insert();
  return state_->collectives++;
}

std::int64_t TimelineWriter::event_count() const {
  return state_->events;
}

void TimelineWriter::commit() {
  write_words(*state_->database, tables);
  write_processes(*state_->database, tables);
  write_totals(*state_->database, tables);
  state_->event.reset();
  state_->collective.reset();
  state_->database->run("COMMIT");
  state_->database.reset();
  state_->file.commit();
}

void write_timeline(const EventTimeline& timeline,
                    const std::filesystem::path& path,
                    bool overwrite) {
  TimelineWriter writer(path, overwrite);
  writer.tables = timeline.tables;
  for (const CollectiveDetail& collective : timeline.collectives) {
    writer.add(collective);
  }
  for (const TimelineEvent& event : timeline.events) {
    writer.add(event);
  }
  writer.commit();
}

}  // namespace switchyard
