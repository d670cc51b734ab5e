#include "profiler/clock_alignment.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include <fmt/format.h>

namespace switchyard {
namespace {

constexpr std::size_t kFewestForDrift = 8;
constexpr double kDriftMustHelp = 0.8;        // of the median residual without drift
constexpr double kSmallestJump_ns = 100'000;  // below that, ranks simply finish apart
constexpr double kJumpOverResidual = 10;
constexpr double kLargestUsefulResidual = 0.1;  // of the median duration of the collectives

double median(std::vector<double> values) {
  const std::size_t middle = values.size() / 2;
  std::nth_element(
      values.begin(), values.begin() + static_cast<std::ptrdiff_t>(middle), values.end());
  return values[middle];
}

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

void match_by_order(const Calls& calls, ClockAlignment& alignment, const std::string& name) {
  const std::size_t count = calls.begin()->second.size();
  const bool is_even = std::all_of(calls.begin(), calls.end(), [count](const auto& entry) {
    return entry.second.size() == count;
  });
  if (!is_even) {
    alignment.notes.push_back(fmt::format(
        "{}: the ranks recorded different numbers of calls, without sequence numbers: not matched",
        name.substr(0, 60)));
    return;
  }
  for (std::size_t call = 0; call < count; ++call) {
    MatchedCollective collective;
    for (const auto& [process, events] : calls) {
      collective.events.push_back(events[call]);
    }
    alignment.collectives.push_back(std::move(collective));
  }
}

void match_collectives(const EventTimeline& timeline, ClockAlignment& alignment) {
  for (const auto& [key, calls] : collect_calls(timeline)) {
    if (calls.size() < 2) {
      continue;
    }
    if (has_sequence(timeline, calls)) {
      match_by_sequence(timeline, calls, alignment.collectives);
    } else {
      match_by_order(calls, alignment, timeline.tables.names.text(NameId(std::get<1>(key))));
    }
  }
}

// Ends of the same collective on the process to be aligned and on one that is already.
struct EndPair {
  std::int64_t own_ns;
  std::int64_t reference_ns;  // on the reference's clock
  std::int64_t duration_ns;   // of the collective's kernel
};

std::vector<double> residuals_of(const std::vector<EndPair>& pairs, const ProcessClock& clock) {
  std::vector<double> residuals;
  for (const EndPair& pair : pairs) {
    residuals.push_back(static_cast<double>(pair.reference_ns - clock.corrected(pair.own_ns)));
  }
  return residuals;
}

double median_size(std::vector<double> values) {
  for (double& value : values) {
    value = std::abs(value);
  }
  return median(std::move(values));
}

// The median of slopes between each point and the one half the series later: robust against
// stragglers, and quick.
double fitted_drift(const std::vector<EndPair>& pairs) {
  const std::size_t half = pairs.size() / 2;
  std::vector<double> slopes;
  for (std::size_t i = 0; i + half < pairs.size(); ++i) {
    const EndPair& early = pairs[i];
    const EndPair& late = pairs[i + half];
    const auto distance = static_cast<double>(late.own_ns - early.own_ns);
    if (distance > 0) {
      const auto gained = (late.reference_ns - early.reference_ns) - (late.own_ns - early.own_ns);
      slopes.push_back(static_cast<double>(gained) / distance);
    }
  }
  return slopes.empty() ? 0 : median(std::move(slopes));
}

void set_offset(const std::vector<EndPair>& pairs, ProcessClock& clock) {
  clock.offset_ns = pairs.front().reference_ns - pairs.front().own_ns;
  clock.offset_ns += std::llround(median(residuals_of(pairs, clock)));
}

// A clock that was set while recording shows as one step between otherwise level residuals.
void find_jump(const std::vector<EndPair>& pairs, ProcessClock& clock) {
  if (pairs.size() < kFewestForDrift) {
    return;
  }
  ProcessClock level = clock;
  level.drift = 0;
  set_offset(pairs, level);
  const auto residuals = residuals_of(pairs, level);
  std::size_t split = 1;
  for (std::size_t i = 1; i < residuals.size(); ++i) {
    if (std::abs(residuals[i] - residuals[i - 1]) >
        std::abs(residuals[split] - residuals[split - 1])) {
      split = i;
    }
  }
  const auto middle = residuals.begin() + static_cast<std::ptrdiff_t>(split);
  const double before = median({residuals.begin(), middle});
  const double after = median({middle, residuals.end()});
  std::vector<double> scatter;
  for (std::size_t i = 0; i < residuals.size(); ++i) {
    scatter.push_back(residuals[i] - (i < split ? before : after));
  }
  const double step = after - before;
  const double noise = median_size(std::move(scatter));
  // Drift alone also separates the halves, but no single step is then most of the way.
  const double largest = residuals[split] - residuals[split - 1];
  if (std::abs(step) > std::max(kSmallestJump_ns, kJumpOverResidual * noise) &&
      std::abs(largest) > std::abs(step) / 2) {
    clock.jump_ns = -std::llround(step);
    clock.jump_after_ns = pairs[split - 1].own_ns;
  }
}

ProcessClock fit_clock(std::vector<EndPair> pairs) {
  std::sort(pairs.begin(), pairs.end(), [](const EndPair& left, const EndPair& right) {
    return left.own_ns < right.own_ns;
  });
  ProcessClock clock;
  clock.is_aligned = true;
  clock.origin_ns = pairs.front().own_ns;
  clock.matches = std::ssize(pairs);
  set_offset(pairs, clock);
  find_jump(pairs, clock);
  if (pairs.size() >= kFewestForDrift && clock.jump_ns == 0) {
    ProcessClock drifting = clock;
    drifting.drift = fitted_drift(pairs);
    set_offset(pairs, drifting);
    if (median_size(residuals_of(pairs, drifting)) <
        kDriftMustHelp * median_size(residuals_of(pairs, clock))) {
      clock = drifting;
    }
  }
  const auto residuals = residuals_of(pairs, clock);
  clock.median_residual_ns = median_size(residuals);
  std::vector<double> durations;
  for (const EndPair& pair : pairs) {
    durations.push_back(static_cast<double>(pair.duration_ns));
  }
  clock.is_reliable =
      clock.jump_ns == 0 &&
      clock.median_residual_ns <= kLargestUsefulResidual * median(std::move(durations));
  for (const double residual : residuals) {
    clock.largest_residual_ns = std::max(clock.largest_residual_ns, std::abs(residual));
  }
  return clock;
}

// Pairs of `process` with processes that are aligned.
std::vector<EndPair> pairs_of(const EventTimeline& timeline,
                              const ClockAlignment& alignment,
                              std::uint16_t process) {
  std::vector<EndPair> pairs;
  for (const MatchedCollective& collective : alignment.collectives) {
    const TimelineEvent* own = nullptr;
    const TimelineEvent* other = nullptr;
    for (const std::size_t i : collective.events) {
      const TimelineEvent& event = timeline.events[i];
      if (event.process == process) {
        own = &event;
      } else if (other == nullptr && alignment.clocks[event.process].is_aligned &&
                 alignment.clocks[event.process].jump_ns == 0) {
        other = &event;
      }
    }
    if (own != nullptr && other != nullptr) {
      pairs.push_back({own->end_ns(),
                       alignment.clocks[other->process].corrected(other->end_ns()),
                       own->duration_ns});
    }
  }
  return pairs;
}

void describe(const EventTimeline& timeline, ClockAlignment& alignment) {
  for (std::size_t process = 1; process < alignment.clocks.size(); ++process) {
    const ProcessClock& clock = alignment.clocks[process];
    const std::int32_t rank = timeline.tables.processes[process].rank;
    const std::string who =
        rank >= 0 ? fmt::format("rank {}", rank) : fmt::format("process {}", process);
    if (!clock.is_aligned) {
      alignment.notes.push_back(who + ": no collective matches: its clock is not aligned");
    } else if (clock.jump_ns != 0) {
      alignment.notes.push_back(
          fmt::format("{}: its clock jumps by {:.1f} us after {} ns: its waiting is left open",
                      who,
                      static_cast<double>(clock.jump_ns) * 1e-3,
                      clock.jump_after_ns));
    } else {
      alignment.notes.push_back(
          fmt::format("{}: clock moved by {:.1f} us{} from {} collectives; residual {:.1f} us "
                      "median, {:.1f} us "
                      "largest{}",
                      who,
                      static_cast<double>(clock.offset_ns) * 1e-3,
                      clock.drift == 0 ? "" : fmt::format(" and {:.2f} ppm", clock.drift * 1e6),
                      clock.matches,
                      clock.median_residual_ns * 1e-3,
                      clock.largest_residual_ns * 1e-3,
                      clock.is_reliable ? "" : ": too much to tell its waiting"));
    }
  }
}

}  // namespace

std::int64_t ProcessClock::corrected(std::int64_t time_ns) const {
  return time_ns + offset_ns + std::llround(drift * static_cast<double>(time_ns - origin_ns));
}

ClockAlignment align_clocks(const EventTimeline& timeline) {
  ClockAlignment alignment;
  alignment.clocks.resize(timeline.tables.processes.size());
  if (alignment.clocks.empty()) {
    return alignment;
  }
  alignment.clocks.front().is_aligned = true;
  alignment.clocks.front().is_reliable = true;
  match_collectives(timeline, alignment);
  // A process may share collectives only with one that is aligned later: repeat while any is.
  for (bool has_changed = true; has_changed;) {
    has_changed = false;
    for (std::size_t process = 1; process < alignment.clocks.size(); ++process) {
      if (alignment.clocks[process].is_aligned) {
        continue;
      }
      auto pairs = pairs_of(timeline, alignment, static_cast<std::uint16_t>(process));
      if (!pairs.empty()) {
        alignment.clocks[process] = fit_clock(std::move(pairs));
        has_changed = true;
      }
    }
  }
  describe(timeline, alignment);
  return alignment;
}

std::vector<std::int64_t> waiting_times(const EventTimeline& timeline,
                                        const ClockAlignment& alignment) {
  std::vector<std::int64_t> waits(timeline.events.size(), -1);
  const auto is_good = [&](std::size_t i) {
    return alignment.clocks[timeline.events[i].process].is_reliable;
  };
  for (const MatchedCollective& collective : alignment.collectives) {
    std::vector<std::pair<std::size_t, std::int64_t>> starts;
    for (const std::size_t i : collective.events) {
      if (is_good(i)) {
        const TimelineEvent& event = timeline.events[i];
        starts.emplace_back(i, alignment.clocks[event.process].corrected(event.start_ns));
      }
    }
    if (starts.size() < 2) {
      continue;
    }
    std::int64_t last = starts.front().second;
    for (const auto& [i, start] : starts) {
      last = std::max(last, start);
    }
    for (const auto& [i, start] : starts) {
      waits[i] = std::min(last - start, timeline.events[i].duration_ns);
    }
  }
  return waits;
}

}  // namespace switchyard
