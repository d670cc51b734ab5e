// Times are rounded to whole nanoseconds at both ends, not start and length apart: rounding lengths
// would make neighbours overlap.
#include "report/files/timeline_file.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <zlib.h>

#include "core/files/atomic_file.hpp"
#include "core/version.hpp"
#include "report/files/lanes.hpp"

namespace switchyard {
namespace {

using nlohmann::ordered_json;

constexpr int kRankProcess = 1;
constexpr int kLinkProcess = 2;
constexpr std::size_t kTimelineFlush = std::size_t{1} << 18U;

std::int64_t nanoseconds(double seconds) {
  return std::llround(seconds * 1e9);
}

// Chrome's unit is the microsecond; three decimals hold nanoseconds exactly.
std::string microseconds(std::int64_t nanos) {
  return fmt::format("{}.{:03}", nanos / 1000, nanos % 1000);
}

std::string quoted(const std::string& text) {
  return ordered_json(text).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

struct TimelineFile::State {
  State(const std::filesystem::path& path, bool overwrite, TimelineLinks fabric_links)
      : file(path, overwrite), where{path.string(), ""}, links(std::move(fabric_links)) {
    if (path.extension() == ".gz") {
      // "w": the name is AtomicFile's, so the stream holds no time and no name, only the bytes.
      compressed = gzopen(file.temporary_path().c_str(), "wb6");
      if (compressed == nullptr) {
        throw InvalidInput("cannot be opened", where);
      }
    }
  }

  ~State() {
    if (compressed != nullptr) {
      gzclose(compressed);
    }
  }

  State(const State&) = delete;
  State& operator=(const State&) = delete;
  State(State&&) = delete;
  State& operator=(State&&) = delete;

  void flush() {
    if (compressed == nullptr) {
      file.write(buffer);
    } else if (!buffer.empty() &&
               gzwrite(compressed, buffer.data(), static_cast<unsigned>(buffer.size())) <= 0) {
      throw InvalidInput("cannot be written", where, "is the disk full?");
    }
    buffer.clear();
  }

  void append(const std::string& event) {
    buffer += is_first ? "\n" : ",\n";
    buffer += event;
    is_first = false;
    if (buffer.size() > kTimelineFlush) {
      flush();
    }
  }

  void name_track(int process, std::int64_t track, const std::string& name) {
    if (!named.emplace(process, track).second) {
      return;
    }
    append(fmt::format(
        R"({{"ph":"M","name":"thread_name","pid":{0},"tid":{1},"args":{{"name":{2}}}}})",
        process,
        track,
        quoted(name)));
    append(fmt::format(
        R"({{"ph":"M","name":"thread_sort_index","pid":{0},"tid":{1},"args":{{"sort_index":{1}}}}})",
        process,
        track));
  }

  struct Event {
    int process;
    std::int64_t track;
    std::string name;
    double start_s;
    double finish_s;
    std::string arguments;  // JSON members
  };

  void add(const Event& event) {
    const std::int64_t start = nanoseconds(event.start_s);
    const std::int64_t length = nanoseconds(event.finish_s) - start;
    if (length > 0) {
      append(fmt::format(
          R"({{"ph":"X","name":"{}","pid":{},"tid":{},"ts":{},"dur":{},"args":{{{}}}}})",
          event.name,
          event.process,
          event.track,
          microseconds(start),
          microseconds(length),
          event.arguments));
    }
  }

  AtomicFile file;
  Location where;
  TimelineLinks links;
  gzFile compressed = nullptr;
  std::string buffer;
  bool is_first = true;
  std::set<std::pair<int, std::int64_t>> named;
};

TimelineFile::TimelineFile(const std::filesystem::path& path, bool overwrite, TimelineLinks links)
    : state_(std::make_unique<State>(path, overwrite, std::move(links))) {
  state_->buffer = R"({"displayTimeUnit":"ms","traceEvents":[)";
  for (const auto& [process, name] : {std::pair(kRankProcess, "ranks"), {kLinkProcess, "links"}}) {
    state_->append(
        fmt::format(R"({{"ph":"M","name":"process_name","pid":{},"tid":0,"args":{{"name":"{}"}}}})",
                    process,
                    name));
  }
}

TimelineFile::~TimelineFile() = default;

void TimelineFile::add(const ExchangeRecord& exchange) {
  const std::vector<double>& bytes = exchange.timeline.link_bytes;
  const auto busy_s = [&](std::size_t link) { return bytes[link] / state_->links.rates[link]; };
  std::vector<std::size_t> order;
  for (std::size_t link = 0; link < bytes.size(); ++link) {
    if (bytes[link] > 0) {
      order.push_back(link);
    }
  }
  const std::size_t shown = std::min(order.size(), kLinksPerExchange);
  std::partial_sort(order.begin(),
                    order.begin() + static_cast<std::ptrdiff_t>(shown),
                    order.end(),
                    [&](std::size_t left, std::size_t right) {
                      return busy_s(left) != busy_s(right) ? busy_s(left) > busy_s(right)
                                                           : left < right;
                    });
  order.resize(shown);
  const double makespan = exchange.timeline.makespan_s;
  for (const std::size_t link : order) {
    const auto track = static_cast<std::int64_t>(link) + 1;
    state_->name_track(kLinkProcess, track, state_->links.names[link]);
    state_->add({kLinkProcess,
                 track,
                 fmt::format("{} L{}", exchange.name, exchange.layer),
                 exchange.start_s,
                 exchange.start_s + std::min(busy_s(link), makespan),
                 fmt::format(R"("bytes":{},"utilisation":{:.4f})",
                             bytes[link],
                             makespan > 0 ? std::min(busy_s(link) / makespan, 1.0) : 0.0)});
  }
}

void TimelineFile::add(const LayerResult& layer) {
  for (const LaneInterval& interval : lane_intervals(layer)) {
    const std::int64_t track = std::int64_t{interval.rank} * std::ssize(kLanes) +
                               static_cast<std::int64_t>(interval.lane) + 1;
    state_->name_track(
        kRankProcess, track, fmt::format("rank {} {}", interval.rank, lane_name(interval.lane)));
    state_->add({kRankProcess,
                 track,
                 fmt::format("{} L{}", interval.name, layer.layer),
                 interval.start_s,
                 interval.finish_s,
                 fmt::format(R"("step":{},"layer":{})", layer.step, layer.layer)});
  }
}

void TimelineFile::finish(const SimulationResult& result) {
  const ordered_json details{{"program_version", kProgramVersion},
                             {"scenario_hash", result.scenario_hash},
                             {"seed", result.seed},
                             {"network", result.network},
                             {"is_partial", result.is_partial}};
  state_->buffer += "\n],\"otherData\":" + details.dump() + "}\n";
  state_->flush();
  if (state_->compressed != nullptr &&
      gzclose(std::exchange(state_->compressed, nullptr)) != Z_OK) {
    throw InvalidInput("cannot be written", state_->where, "is the disk full?");
  }
  state_->file.commit();
}

}  // namespace switchyard
