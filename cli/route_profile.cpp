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

}  // namespace

void require_route_profiling() {
  require_profiling(/*is_remote=*/false);
}

RouteProfile profile_route(const std::function<void()>& route,
                           const TopKLaunch* launch,
                           bool is_renormalised,
                           const std::filesystem::path& target,
                           bool overwrite) {
  KeepActivities sink;
  CuptiSession session(sink, {});
  route();
  session.finish();
  const EventTimeline timeline = timeline_of(sink.log, session);
  RouteProfile profile{.kernels = kernel_times(timeline),
                       .lost = static_cast<std::int64_t>(sink.log.dropped + sink.log.untimed)};
  if (profile.kernels.empty()) {
    throw MissingCapability(
        "CUPTI recorded no kernel: the router ran on the CPU", {}, "--set router.executor=cuda");
  }
  write_timeline(timeline, target, overwrite);
  if (launch != nullptr && !sink.log.devices.empty()) {
    const DeviceFacts& device = sink.log.devices.front();
    profile.floor = kernel_floor(*launch, is_renormalised, rates_of(device));
    profile.has_floor = true;
    profile.fits_in_l2 = least_bytes(*launch).count <= std::int64_t{device.l2_bytes};
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
  if (profile.lost > 0) {
    text += fmt::format("  {} records lost\n", profile.lost);
  }
  return text;
}

}  // namespace switchyard
