#include "profiler/clocks/collective_matching.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

namespace switchyard {
namespace {

// The collectives of one communicator and operation on one process, in the order of time. Where the
// library recorded nothing, kernels of one name on streams of one number stand for a communicator.
using Calls = std::map<std::uint16_t, std::vector<std::size_t>>;
using Key = std::tuple<std::int32_t, std::int32_t, std::vector<std::int32_t>>;

bool is_collective_kernel(const EventTimeline& timeline, const TimelineEvent& event) {
  if (event.kind != EventKind::Kernel) {
    return false;
  }
  if (const CollectiveDetail* detail = timeline.collective(event)) {
    return detail->source_rank < 0;
  }
  const std::string& name = timeline.name(event);
  return name.find("nccl") != std::string::npos && name.find("Kernel") != std::string::npos;
}

std::map<Key, Calls> collect_calls(const EventTimeline& timeline) {
  std::map<Key, Calls> calls;
  for (std::size_t i = 0; i < timeline.events.size(); ++i) {
    const TimelineEvent& event = timeline.events[i];
    if (!is_collective_kernel(timeline, event)) {
      continue;
    }
    const CollectiveDetail* detail = timeline.collective(event);
    const Key key = detail != nullptr
                        ? Key{detail->group.value, detail->operation.value, detail->ranks}
                        : Key{-1, event.name.value, {static_cast<std::int32_t>(event.stream)}};
    calls[key][event.process].push_back(i);
  }
  for (auto& [key, by_process] : calls) {
    for (auto& [process, events] : by_process) {
      std::stable_sort(events.begin(), events.end(), [&](std::size_t left, std::size_t right) {
        return timeline.events[left].start_ns < timeline.events[right].start_ns;
      });
    }
  }
  return calls;
}

bool has_sequence(const EventTimeline& timeline, const Calls& calls) {
  return std::all_of(calls.begin(), calls.end(), [&](const auto& entry) {
    return std::all_of(entry.second.begin(), entry.second.end(), [&](std::size_t i) {
      const CollectiveDetail* detail = timeline.collective(timeline.events[i]);
      return detail != nullptr && detail->sequence >= 0;
    });
  });
}

void match_by_sequence(const EventTimeline& timeline,
                       const Calls& calls,
                       std::vector<MatchedCollective>& matched) {
  std::map<std::int64_t, MatchedCollective> by_number;
  for (const auto& [process, events] : calls) {
    for (const std::size_t i : events) {
      by_number[timeline.collective(timeline.events[i])->sequence].events.push_back(i);
    }
  }
  for (auto& [number, collective] : by_number) {
    if (collective.events.size() > 1) {
      matched.push_back(std::move(collective));
    }
  }
}

void match_by_order(const Calls& calls, MatchedCollectives& found, const std::string& name) {
  const std::size_t count = calls.begin()->second.size();
  const bool is_even = std::all_of(calls.begin(), calls.end(), [count](const auto& entry) {
    return entry.second.size() == count;
  });
  if (!is_even) {
    found.notes.push_back(fmt::format(
        "{}: the ranks recorded different numbers of calls, without sequence numbers: not matched",
        name.substr(0, 60)));
    return;
  }
  for (std::size_t call = 0; call < count; ++call) {
    MatchedCollective collective;
    for (const auto& [process, events] : calls) {
      collective.events.push_back(events[call]);
    }
    found.collectives.push_back(std::move(collective));
  }
}

}  // namespace

MatchedCollectives match_collectives(const EventTimeline& timeline) {
  MatchedCollectives found;
  for (const auto& [key, calls] : collect_calls(timeline)) {
    if (calls.size() < 2) {
      continue;
    }
    if (has_sequence(timeline, calls)) {
      match_by_sequence(timeline, calls, found.collectives);
    } else {
      match_by_order(calls, found, timeline.tables.names.text(NameId(std::get<1>(key))));
    }
  }
  return found;
}

}  // namespace switchyard
