// Measured timelines of our own, so that a folder of them (what `profile` leaves, one file a rank)
// is read as one job.
#include "core/files/sqlite.hpp"
#include "profiler/timeline_file.hpp"
#include "profiler/timeline_importer.hpp"

namespace switchyard {
namespace {

// Passes a file's rows on, with names, processes and collectives renumbered behind those that the
// target has already.
class AppendingSink final : public TimelineSink {
 public:
  explicit AppendingSink(TimelineSink& target)
      : target_(target), first_process_(target.tables.processes.size()) {}

  void add(const TimelineEvent& event) override {
    append_tables();
    TimelineEvent moved = event;
    moved.name = moved_name(event.name);
    moved.process = moved_process(event.process);
    if (event.collective >= 0) {
      moved.collective = collectives_[static_cast<std::size_t>(event.collective)];
    }
    target_.add(moved);
  }

  std::int32_t add(const CollectiveDetail& collective) override {
    CollectiveDetail moved = collective;
    moved.operation = moved_name(collective.operation);
    moved.data_type = moved_name(collective.data_type);
    moved.group = moved_name(collective.group);
    collectives_.push_back(target_.add(moved));
    return static_cast<std::int32_t>(collectives_.size() - 1);
  }

  // The small tables are complete before the first event; a file without events has only them.
  void append_tables() {
    if (has_tables_) {
      return;
    }
    has_tables_ = true;
    TimelineTables& to = target_.tables;
    to.processes.insert(to.processes.end(), tables.processes.begin(), tables.processes.end());
    for (TimelineDevice device : tables.devices) {
      device.process = moved_process(device.process);
      to.devices.push_back(device);
    }
    for (EventSummary summary : tables.summaries) {
      summary.process = moved_process(summary.process);
      summary.name = moved_name(summary.name);
      to.summaries.push_back(summary);
    }
    for (CollectiveTiming timing : tables.timings) {
      timing.operation = moved_name(timing.operation);
      timing.data_type = moved_name(timing.data_type);
      to.timings.push_back(timing);
    }
    for (CounterValue counter : tables.counters) {
      counter.process = moved_process(counter.process);
      counter.kernel = moved_name(counter.kernel);
      to.counters.push_back(counter);
    }
    for (const TimelineNote& note : tables.notes) {
      to.note(note.kind, note.text, note.count);
    }
    to.format = tables.format;
  }

 private:
  NameId moved_name(NameId id) {
    return id.is_valid() ? target_.intern(tables.names.text(id)) : id;
  }

  [[nodiscard]] std::uint16_t moved_process(std::uint16_t process) const {
    return static_cast<std::uint16_t>(first_process_ + process);
  }

  TimelineSink& target_;
  std::size_t first_process_;
  std::vector<std::int32_t> collectives_;
  bool has_tables_ = false;
};

class NativeTimelineImporter final : public TimelineImporter {
 public:
  explicit NativeTimelineImporter(Parameters& /*parameters*/) {}

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    try {
      return is_sqlite_file(path) && is_timeline_file(path);
    } catch (const Error&) {
      return false;  // whoever reads it in earnest will say why
    }
  }

  void read(const std::filesystem::path& path,
            TimelineSink& sink,
            const Progress& /*progress*/) const override {
    AppendingSink appending(sink);
    read_timeline(path, appending);
    appending.append_tables();
    sink.tables.source = path.string();
  }
};

const Register<TimelineImporter, NativeTimelineImporter> kNativeTimeline{
    "native_timeline", "measured timelines of switchyard profile; a folder is a job"};

}  // namespace
}  // namespace switchyard
