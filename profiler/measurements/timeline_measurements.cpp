#include "profiler/measurements/timeline_measurements.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <nlohmann/json.hpp>

#include "profiler/timeline_importer.hpp"

namespace switchyard {
namespace {

constexpr double kNano = 1e-9;
constexpr const char* kOperation = "all_to_all";

Measurement empty_row(const std::filesystem::path& path, const EventTimeline& timeline) {
  Measurement row;
  row.source = path.filename().string();
  row.hardware = timeline.tables.devices.empty() ? "" : timeline.tables.devices.front().name;
  row.operation = "alltoall";
  row.where = {path.string(), ""};
  return row;
}

void add_benchmark_rows(const std::filesystem::path& path,
                        const EventTimeline& timeline,
                        const MeasurementDefaults& defaults,
                        MeasurementTable& table) {
  for (const CollectiveTiming& timing : timeline.tables.timings) {
    const bool is_wanted = timeline.tables.names.text(timing.operation) == kOperation &&
                           !timing.is_in_place && timing.rank < 0 && timing.bytes > 0;
    if (!is_wanted) {
      ++table.skipped;
      continue;
    }
    Measurement row = empty_row(path, timeline);
    row.ranks = timing.ranks > 0 ? timing.ranks : defaults.ranks;
    row.nodes = std::max<std::int64_t>(1, defaults.nodes);
    row.message_bytes = timing.bytes;
    row.seconds = timing.time_ns * kNano;
    row.bandwidth = std::max(0.0, timing.bus_bandwidth);
    row.bytes_definition = "nccl_busbw";
    if (row.ranks < 2) {
      throw InvalidInput("does not list its ranks", row.where, "say --ranks N [--nodes N]");
    }
    if (!(row.seconds > 0)) {
      row.problem = "took no time";
    }
    table.rows.push_back(std::move(row));
  }
}

bool has_equal_splits(const CollectiveDetail& collective) {
  return collective.in_splits.empty() ||
         std::ranges::all_of(collective.in_splits, [&](std::int64_t elements) {
           return elements == collective.in_splits.front();
         });
}

void add_recorded_rows(const std::filesystem::path& path,
                       const EventTimeline& timeline,
                       const MeasurementDefaults& defaults,
                       MeasurementTable& table) {
  std::set<std::string> hosts;
  for (const TimelineProcess& process : timeline.tables.processes) {
    hosts.insert(process.host);
  }
  // One operation by communicator and number, or by itself where it has none.
  std::map<std::tuple<std::string, std::int64_t, std::size_t>, Measurement> operations;
  for (std::size_t i = 0; i < timeline.events.size(); ++i) {
    const TimelineEvent& event = timeline.events[i];
    const CollectiveDetail* collective = timeline.collective(event);
    if (collective == nullptr) {
      continue;
    }
    const bool is_wanted = timeline.tables.names.text(collective->operation) == kOperation &&
                           collective->in_elements > 0 && collective->element_bytes > 0 &&
                           collective->group_size > 1 && event.duration_ns > 0;
    if (!is_wanted) {
      ++table.skipped;
      continue;
    }
    Measurement row = empty_row(path, timeline);
    row.ranks = collective->group_size;
    row.nodes = defaults.nodes > 0 ? defaults.nodes : static_cast<std::int64_t>(hosts.size());
    row.message_bytes = collective->in_elements * collective->element_bytes;
    row.seconds = static_cast<double>(event.duration_ns) * kNano;
    row.bytes_definition = "nccl_busbw";
    if (!has_equal_splits(*collective)) {
      row.problem = "has unequal splits: only equal blocks can be fitted";
    } else if (row.ranks % row.nodes != 0) {
      row.problem = "does not spread its ranks evenly over the hosts";
    }
    const bool is_numbered = collective->sequence >= 0;
    const auto [found, is_new] =
        operations.try_emplace({timeline.tables.names.text(collective->group),
                                collective->sequence,
                                is_numbered ? 0 : i + 1},
                               row);
    if (!is_new && row.seconds < found->second.seconds) {
      found->second = row;
    }
  }
  for (auto& [key, row] : operations) {
    table.rows.push_back(std::move(row));
  }
}

}  // namespace

bool is_measured_timeline(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored) && !matching_timeline_importers(path).empty();
}

MeasurementTable read_timeline_measurements(const std::filesystem::path& path,
                                            const MeasurementDefaults& defaults) {
  nlohmann::json settings = nlohmann::json::object();
  for (const std::string& setting : defaults.importer_settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) {
      throw InvalidInput("\"" + setting + "\" is not a setting", {"--set", ""}, "write name=value");
    }
    settings[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  Parameters parameters(settings, {"--set", ""});
  const auto importer = Registry<TimelineImporter>::instance().create(
      matching_timeline_importers(path).front(), "importer", parameters);
  EventTimeline timeline;
  import_timeline(*importer, path, timeline, {});
  MeasurementTable table;
  if (timeline.tables.timings.empty()) {
    add_recorded_rows(path, timeline, defaults, table);
  } else {
    add_benchmark_rows(path, timeline, defaults, table);
  }
  return table;
}

}  // namespace switchyard
