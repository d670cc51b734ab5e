#include "cli/route_profile.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/profile_run.hpp"
#include "core/error.hpp"
#include "profiler/activities/activity_timeline.hpp"
#include "profiler/activities/launcher_rank.hpp"
#include "profiler/cupti/cupti_presence.hpp"
#include "profiler/cupti/cupti_session.hpp"
#include "profiler/timeline_file.hpp"

namespace switchyard {
namespace {

std::vector<KernelTimes> kernel_times(const EventTimeline& timeline) {
  std::map<std::string, std::vector<std::int64_t>> durations;
  for (const TimelineEvent& event : timeline.events) {
    if (event.kind == EventKind::Kernel) {
      durations[timeline.name(event)].push_back(event.duration_ns);
    }
  }
  std::vector<KernelTimes> kernels;
  for (auto& [name, times] : durations) {
    std::sort(times.begin(), times.end());
    std::int64_t total = 0;
    for (const std::int64_t time : times) {
      total += time;
    }
    constexpr double kNano = 1e-9;
    kernels.push_back({.kernel = name,
                       .launches = static_cast<std::int64_t>(times.size()),
                       .median = Seconds{static_cast<double>(times[times.size() / 2]) * kNano},
                       .total = Seconds{static_cast<double>(total) * kNano}});
  }
  std::stable_sort(kernels.begin(), kernels.end(), [](const auto& left, const auto& right) {
    return left.total > right.total;
  });
  return kernels;
}

EventTimeline timeline_of(const ActivityLog& log, const CuptiSession& session) {
  EventTimeline timeline;
  timeline.tables.format = "cupti";
  timeline.tables.source = "switchyard route";
  const LauncherRank rank = find_launcher_rank();
  ActivityTimeline activities(timeline,
                              {.epoch_unix_ns = session.epoch_unix_ns(),
                               .process_id = ::getpid(),
                               .rank = rank.rank,
                               .world_size = rank.world_size,
                               .cupti_version = session.version()});
  activities.add(log);
  activities.finish({.is_complete = true});
  return timeline;
}

// CUPTI counts only after the session has ended: the two exclude each other.
CounterReport counters_of(const std::function<void()>& route_again) {
  try {
    return measure_counters(route_again);
  } catch (const MissingCapability& reason) {
    return {.readings = {}, .missing = {std::string(reason.what()) + "\n" + reason.hint()}};
  }
}

void add_counters(const CounterReport& report, EventTimeline& timeline) {
  for (const CounterReading& reading : report.readings) {
    timeline.tables.counters.push_back({.process = 0,
                                        .kernel = {},
                                        .counter = reading.counter,
                                        .value = reading.value,
                                        .unit = reading.unit});
  }
  for (const std::string& reason : report.missing) {
    timeline.tables.note(TimelineNote::Kind::LeftOut, "hardware counters: " + reason);
  }
}

}  // namespace

void require_route_profiling() {
  require_profiling(/*is_remote=*/false);
}

RouteProfile profile_route(const RouteProfileRequest& request) {
  KeepActivities sink;
  CuptiSession session(sink, {.asks_driver = true});
  request.route();
  session.finish();
  EventTimeline timeline = timeline_of(sink.log, session);
  RouteProfile profile{.kernels = kernel_times(timeline),
                       .lost = static_cast<std::int64_t>(sink.log.dropped + sink.log.untimed)};
  if (profile.kernels.empty()) {
    throw MissingCapability(
        "CUPTI recorded no kernel: the router ran on the CPU", {}, "--set router.executor=cuda");
  }
  if (request.route_again) {
    profile.counters = counters_of(request.route_again);
    add_counters(profile.counters, timeline);
  }
  write_timeline(timeline, request.target, request.overwrite);
  if (request.launch.tokens > 0 && !sink.log.devices.empty()) {
    const DeviceFacts& device = sink.log.devices.front();
    profile.floor = kernel_floor(request.launch, request.is_renormalised, rates_of(device));
    profile.has_floor = true;
    profile.fits_in_l2 = least_bytes(request.launch).count <= std::int64_t{device.l2_bytes};
  }
  return profile;
}

std::string text_of(const RouteProfile& profile) {
  std::string text;
  for (const KernelTimes& kernel : profile.kernels) {
    text += fmt::format(
        "  {} x {}, median {}\n", kernel.launches, kernel.kernel, format_quantity(kernel.median));
  }
  if (profile.has_floor) {
    const std::string issue = profile.floor.issue.count() > 0
                                  ? "instructions " + format_quantity(profile.floor.issue)
                                  : "instructions not counted for this shape";
    text += fmt::format("  floor of a launch: bytes {}, {}; measured / floor = {:.2f}\n",
                        format_quantity(profile.floor.memory),
                        issue,
                        profile.kernels.front().median / profile.floor.time());
    text += profile.fits_in_l2 ? "  the data fits into the L2 cache: memory may be beaten\n" : "";
  }
  for (const CounterReading& reading : profile.counters.readings) {
    text += reading.unit == "bytes"
                ? fmt::format("  {}: {}\n",
                              reading.counter,
                              format_quantity(Bytes{static_cast<std::int64_t>(reading.value)}))
                : fmt::format("  {}: {:.1f} {}\n", reading.counter, reading.value, reading.unit);
  }
  for (const std::string& reason : profile.counters.missing) {
    text += "  no hardware counters of " + reason + "\n";
  }
  if (profile.lost > 0) {
    text += fmt::format("  {} records lost\n", profile.lost);
  }
  return text;
}

}  // namespace switchyard
