// Perfetto drops overlapping events of a track: events of one phase that overlap (streams side by
// side) go to further tracks of the same name.
#include <algorithm>
#include <map>
#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/files/atomic_file.hpp"
#include "report/comparison/comparison.hpp"

namespace switchyard {
namespace {

using nlohmann::ordered_json;

constexpr int kTracksPerPhase = 16;

std::string quoted(const std::string& text) {
  return ordered_json(text).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

// Chrome's unit is the microsecond; three decimals hold nanoseconds exactly. Clocks that were
// aligned may put an event a little before the first.
std::string microseconds(std::int64_t nanos) {
  return fmt::format(
      "{}{}.{:03}", nanos < 0 ? "-" : "", std::abs(nanos) / 1000, std::abs(nanos) % 1000);
}

class OverlayWriter {
 public:
  explicit OverlayWriter(AtomicFile& file) : file_(file) {
    file_.write(R"({"displayTimeUnit":"ms","traceEvents":[)");
  }

  void add(const ComparedRun& run, int process, const char* letter) {
    append(fmt::format(
        R"({{"ph":"M","name":"process_name","pid":{},"tid":0,"args":{{"name":{}}}}})",
        process,
        quoted(fmt::format(
            "{} {}: {}", letter, run.is_simulated ? "simulated" : "measured", run.label))));
    std::vector<std::size_t> order(run.intervals.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&run](std::size_t left, std::size_t right) {
      return run.intervals[left].start_ns < run.intervals[right].start_ns;
    });
    for (const std::size_t i : order) {
      add(run, run.intervals[i], process);
    }
  }

  /// Answers the events that were left out.
  std::int64_t finish() {
    file_.write(buffer_);
    file_.write("\n]}\n");
    return left_out_;
  }

 private:
  void add(const ComparedRun& run, const RunInterval& interval, int process) {
    if (interval.duration_ns <= 0) {
      return;
    }
    auto& ends = ends_[{process, interval.row, interval.phase}];
    const auto free = std::find_if(ends.begin(), ends.end(), [&interval](std::int64_t end) {
      return end <= interval.start_ns;
    });
    const auto lane = static_cast<int>(free - ends.begin());
    if (lane >= kTracksPerPhase) {
      ++left_out_;  // more than sixteen at once cannot be read anyway
      return;
    }
    const std::int64_t track = (std::int64_t{interval.row} * static_cast<int>(kMoePhases) +
                                static_cast<int>(interval.phase)) *
                                   kTracksPerPhase +
                               lane + 1;
    if (free == ends.end()) {
      ends.push_back(0);
      name_track(run, interval, process, track);
    }
    ends[static_cast<std::size_t>(lane)] = interval.start_ns + interval.duration_ns;
    append(fmt::format(R"({{"ph":"X","name":{},"pid":{},"tid":{},"ts":{},"dur":{}}})",
                       quoted(interval.name),
                       process,
                       track,
                       microseconds(interval.start_ns),
                       microseconds(interval.duration_ns)));
  }

  void name_track(const ComparedRun& run,
                  const RunInterval& interval,
                  int process,
                  std::int64_t track) {
    const std::int32_t rank = run.ranks[static_cast<std::size_t>(interval.row)];
    append(fmt::format(
        R"({{"ph":"M","name":"thread_name","pid":{0},"tid":{1},"args":{{"name":"{2} {3}"}}}})",
        process,
        track,
        rank >= 0 ? fmt::format("rank {}", rank) : fmt::format("process {}", interval.row),
        moe_phase_name(interval.phase)));
    append(fmt::format(
        R"({{"ph":"M","name":"thread_sort_index","pid":{0},"tid":{1},"args":{{"sort_index":{1}}}}})",
        process,
        track));
  }

  void append(const std::string& event) {
    constexpr std::size_t kFlushSize = std::size_t{1} << 18U;
    buffer_ += is_first_ ? "\n" : ",\n";
    buffer_ += event;
    is_first_ = false;
    if (buffer_.size() > kFlushSize) {
      file_.write(buffer_);
      buffer_.clear();
    }
  }

  AtomicFile& file_;
  std::string buffer_;
  bool is_first_ = true;
  std::int64_t left_out_ = 0;
  std::map<std::tuple<int, std::int32_t, MoePhase>, std::vector<std::int64_t>> ends_;
};

}  // namespace

std::int64_t write_overlay(const ComparedRun& a,
                           const ComparedRun& b,
                           const std::filesystem::path& path,
                           bool overwrite) {
  if (a.intervals.empty() && b.intervals.empty()) {
    throw InvalidInput("neither run has events to draw",
                       {path.string(), ""},
                       "simulate with --save; measure with a profiler that keeps single events");
  }
  AtomicFile file(path, overwrite);
  OverlayWriter writer(file);
  writer.add(a, 1, "A");
  writer.add(b, 2, "B");
  const std::int64_t left_out = writer.finish();
  file.commit();
  return left_out;
}

}  // namespace switchyard
