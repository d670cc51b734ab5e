#include "profiler/clocks/clock_alignment.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace switchyard {
namespace {

constexpr double kMicrosecond = 1e3;  // ns
// Ends of one collective that lie further apart than both are no matter of clocks.
constexpr double kEndsApart_ns = 100'000;
constexpr double kEndsOverResidual = 10;

// Pairs of `process` with processes that are aligned.
std::vector<CollectivePair> pairs_of(const EventTimeline& timeline,
                                     const ClockAlignment& alignment,
                                     std::uint16_t process) {
  std::vector<CollectivePair> pairs;
  for (const MatchedCollective& collective : alignment.collectives) {
    const TimelineEvent* own = nullptr;
    const TimelineEvent* other = nullptr;
    for (const std::size_t i : collective.events) {
      const TimelineEvent& event = timeline.events[i];
      const ProcessClock& clock = alignment.clocks[event.process];
      if (event.process == process) {
        own = &event;
      } else if (other == nullptr && clock.is_aligned && clock.lost_jump_ns == 0) {
        other = &event;
      }
    }
    if (own != nullptr && other != nullptr) {
      pairs.push_back(
          {.own_start_ns = own->start_ns,
           .own_end_ns = own->end_ns(),
           .reference_end_ns = alignment.clocks[other->process].corrected(other->end_ns())});
    }
  }
  return pairs;
}

// Whether the starts of a collective can be compared.
bool is_comparable(const EventTimeline& timeline,
                   const ClockAlignment& alignment,
                   const MatchedCollective& collective) {
  double earliest = 0;
  double latest = 0;
  double residual = 0;
  bool is_first = true;
  for (const std::size_t i : collective.events) {
    const TimelineEvent& event = timeline.events[i];
    const ProcessClock& clock = alignment.clocks[event.process];
    const bool is_beside_jump =
        std::any_of(clock.jumps.begin(), clock.jumps.end(), [&event](const ClockJump& jump) {
          return jump.touches(event.start_ns, event.end_ns());
        });
    if (!clock.is_reliable || is_beside_jump) {
      return false;
    }
    const auto end = static_cast<double>(clock.corrected(event.end_ns()));
    earliest = is_first ? end : std::min(earliest, end);
    latest = is_first ? end : std::max(latest, end);
    residual = std::max(residual, clock.median_residual_ns);
    is_first = false;
  }
  return latest - earliest <= std::max(kEndsApart_ns, kEndsOverResidual * residual);
}

std::string jump_text(const EventTimeline& timeline, std::size_t process, const ClockJump& jump) {
  std::int64_t moved = 0;
  std::int64_t beside = 0;
  for (const TimelineEvent& event : timeline.events) {
    if (event.process == process) {
      moved += event.start_ns > jump.boundary_ns ? 1 : 0;
      beside += jump.touches(event.start_ns, event.end_ns()) ? 1 : 0;
    }
  }
  return fmt::format(
      "its clock was set {} by {:.1f} us after {} ns: mended, {} events moved; {} beside it may be "
      "off by as much and tell no waiting",
      jump.by_ns > 0 ? "forward" : "back",
      std::abs(static_cast<double>(jump.by_ns)) / kMicrosecond,
      jump.last_before_ns,
      moved,
      beside);
}

std::string fit_text(const ProcessClock& clock) {
  return fmt::format(
      "clock moved by {:.1f} us{} from {} collectives; residual {:.1f} us median, "
      "{:.1f} us largest{}",
      static_cast<double>(clock.offset_ns) / kMicrosecond,
      clock.drift == 0 ? "" : fmt::format(" and {:.2f} ppm", clock.drift * 1e6),
      clock.matches,
      clock.median_residual_ns / kMicrosecond,
      clock.largest_residual_ns / kMicrosecond,
      clock.is_reliable ? "" : ": too much to tell its waiting");
}

void describe(const EventTimeline& timeline, ClockAlignment& alignment) {
  for (std::size_t process = 1; process < alignment.clocks.size(); ++process) {
    const ProcessClock& clock = alignment.clocks[process];
    const std::int32_t rank = timeline.tables.processes[process].rank;
    const std::string who =
        rank >= 0 ? fmt::format("rank {}: ", rank) : fmt::format("process {}: ", process);
    if (!clock.is_aligned) {
      alignment.notes.push_back(who + "no collective matches: its clock is not aligned");
    } else if (clock.lost_jump_ns != 0) {
      alignment.notes.push_back(
          fmt::format("{}its clock was set by {:.1f} us after {} ns, over times that it had "
                      "recorded already: not mended, its waiting is left open",
                      who,
                      static_cast<double>(clock.lost_jump_ns) / kMicrosecond,
                      clock.lost_jump_after_ns));
    } else {
      for (const ClockJump& jump : clock.jumps) {
        alignment.notes.push_back(who + jump_text(timeline, process, jump));
      }
      alignment.notes.push_back(who + fit_text(clock));
    }
  }
  const auto open = std::count_if(alignment.collectives.begin(),
                                  alignment.collectives.end(),
                                  [&](const MatchedCollective& collective) {
                                    return !is_comparable(timeline, alignment, collective);
                                  });
  if (open > 0) {
    alignment.notes.push_back(
        fmt::format("{} of {} matched collectives tell no waiting: a clock is not reliable there, "
                    "or they end at different times",
                    open,
                    alignment.collectives.size()));
  }
}

}  // namespace

ClockAlignment align_clocks(const EventTimeline& timeline) {
  ClockAlignment alignment;
  alignment.clocks.resize(timeline.tables.processes.size());
  if (alignment.clocks.empty()) {
    return alignment;
  }
  alignment.clocks.front().is_aligned = true;
  alignment.clocks.front().is_reliable = true;
  MatchedCollectives matched = match_collectives(timeline);
  alignment.collectives = std::move(matched.collectives);
  alignment.notes = std::move(matched.notes);
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
  for (const MatchedCollective& collective : alignment.collectives) {
    if (!is_comparable(timeline, alignment, collective)) {
      continue;
    }
    const auto start_of = [&](std::size_t i) {
      const TimelineEvent& event = timeline.events[i];
      return alignment.clocks[event.process].corrected(event.start_ns);
    };
    std::int64_t last = start_of(collective.events.front());
    for (const std::size_t i : collective.events) {
      last = std::max(last, start_of(i));
    }
    for (const std::size_t i : collective.events) {
      waits[i] = std::min(last - start_of(i), timeline.events[i].duration_ns);
    }
  }
  return waits;
}

}  // namespace switchyard
