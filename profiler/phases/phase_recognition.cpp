// Three steps: the phase that each range gives to the launches inside it, the phase of each event
// from its own name and from its launch, and the direction of exchanges that no name tells.
#include "profiler/phases/phase_recognition.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace switchyard {
namespace {

// Device work, or an operation recorded without its kernel.
bool is_classified(const TimelineEvent& event) {
  return is_device_work(event.kind) || event.kind == EventKind::Communication;
}

// Answers of the rules, asked once per name.
class CachedRules {
 public:
  CachedRules(const PhaseRules& rules, RuleSubject subject, const NameTable& names)
      : rules_(rules), subject_(subject), names_(names), answers_(names.size()) {}

  std::optional<MoePhase> find(NameId name) {
    Answer& answer = answers_[name.index()];
    if (!answer.is_known) {
      answer = {true, rules_.find(subject_, names_.text(name))};
    }
    return answer.phase;
  }

 private:
  struct Answer {
    bool is_known = false;
    std::optional<MoePhase> phase{};
  };

  const PhaseRules& rules_;
  RuleSubject subject_;
  const NameTable& names_;
  std::vector<Answer> answers_;
};

// A thread of a host or a stream of a device.
using Track = std::tuple<std::uint16_t, std::int32_t, std::int64_t>;

Track track_of(const TimelineEvent& event) {
  return {event.process, event.device, event.stream};
}

struct OpenRange {
  std::int64_t end_ns;
  std::optional<MoePhase> phase;  // its own, else that of the range around it
};

// Walks ranges and the events inside them, track by track in the order of time.
class RangeSweep {
 public:
  RangeSweep(const EventTimeline& timeline, CachedRules& rules, PhaseAssignment& assignment)
      : timeline_(timeline), rules_(rules), assignment_(assignment) {}

  // Calls `use` for each event of `members` with the phase of the ranges around its start.
  template <class Use>
  void run(EventKind range_kind, const std::vector<std::size_t>& members, const Use& use) {
    std::map<Track, std::vector<std::size_t>> tracks;
    const auto& events = timeline_.events;
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (events[i].kind == range_kind) {
        tracks[track_of(events[i])].push_back(i);
      }
    }
    for (const std::size_t i : members) {
      const auto track = tracks.find(track_of(events[i]));
      if (track != tracks.end()) {
        track->second.push_back(i);
      }
    }
    for (auto& [track, indices] : tracks) {
      sweep(indices, range_kind, use);
    }
  }

 private:
  template <class Use>
  void sweep(std::vector<std::size_t>& indices, EventKind range_kind, const Use& use) {
    const auto& events = timeline_.events;
    // Ranges before the events that start with them, longer ones first.
    std::sort(indices.begin(), indices.end(), [&](std::size_t left, std::size_t right) {
      const TimelineEvent& a = events[left];
      const TimelineEvent& b = events[right];
      const auto key = [range_kind](const TimelineEvent& event) {
        return std::tuple(event.start_ns, event.kind != range_kind, -event.duration_ns);
      };
      return key(a) != key(b) ? key(a) < key(b) : left < right;
    });
    std::vector<OpenRange> open;
    for (const std::size_t i : indices) {
      const TimelineEvent& event = events[i];
      while (!open.empty() && open.back().end_ns <= event.start_ns) {
        open.pop_back();
      }
      const auto around = open.empty() ? std::nullopt : open.back().phase;
      if (event.kind != range_kind) {
        use(i, around);
        continue;
      }
      assignment_.unnested_ranges += !open.empty() && open.back().end_ns < event.end_ns() ? 1 : 0;
      const auto own = rules_.find(event.name);
      open.push_back({event.end_ns(), own ? own : around});
    }
  }

  const EventTimeline& timeline_;
  CachedRules& rules_;
  PhaseAssignment& assignment_;
};

// The phase that ranges give to each event, where they give one.
std::vector<std::optional<MoePhase>> phases_of_ranges(const EventTimeline& timeline,
                                                      const PhaseRules& rules,
                                                      PhaseAssignment& assignment) {
  const auto& events = timeline.events;
  CachedRules range_rules(rules, RuleSubject::Range, timeline.tables.names);
  RangeSweep sweep(timeline, range_rules, assignment);
  std::vector<std::size_t> calls;
  std::vector<std::size_t> work;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].kind == EventKind::ApiCall && events[i].correlation >= 0) {
      calls.push_back(i);
    } else if (is_device_work(events[i].kind)) {
      work.push_back(i);
    }
  }
  std::map<std::pair<std::uint16_t, std::int64_t>, MoePhase> launches;
  sweep.run(EventKind::Range, calls, [&](std::size_t i, std::optional<MoePhase> phase) {
    if (phase) {
      launches.emplace(std::pair(events[i].process, events[i].correlation), *phase);
    }
  });
  std::vector<std::optional<MoePhase>> phases(events.size());
  sweep.run(EventKind::DeviceRange, work, [&](std::size_t i, std::optional<MoePhase> phase) {
    phases[i] = phase;
  });
  for (const std::size_t i : work) {
    const auto launch = launches.find({events[i].process, events[i].correlation});
    if (launch != launches.end()) {
      phases[i] = launch->second;
    }
  }
  return phases;
}

std::vector<std::size_t> in_order_of_time(const EventTimeline& timeline) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < timeline.events.size(); ++i) {
    if (is_classified(timeline.events[i])) {
      order.push_back(i);
    }
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t left, std::size_t right) {
    const TimelineEvent& a = timeline.events[left];
    const TimelineEvent& b = timeline.events[right];
    return std::tie(a.process, a.start_ns) < std::tie(b.process, b.start_ns);
  });
  return order;
}

// An exchange with an expert GEMM behind it and none before it (since the last exchange) is a
// dispatch, the reverse a combine. Both or neither tells nothing.
void tell_exchanges_apart(const EventTimeline& timeline,
                          const std::vector<std::size_t>& order,
                          PhaseAssignment& assignment) {
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  std::size_t waiting = kNone;   // the latest exchange, whose next GEMM is not known yet
  bool has_gemm_before = false;  // before the waiting one
  bool has_gemm_after = false;   // since the waiting one
  const auto settle = [&] {
    if (waiting != kNone && has_gemm_before != has_gemm_after) {
      assignment.phases[waiting] = has_gemm_after ? MoePhase::Dispatch : MoePhase::Combine;
      ++assignment.by_position;
    }
  };
  std::optional<std::uint16_t> process;
  for (const std::size_t i : order) {
    if (process != timeline.events[i].process) {
      settle();
      waiting = kNone;
      has_gemm_after = false;
      process = timeline.events[i].process;
    }
    if (assignment.phases[i] == MoePhase::ExpertGemm) {
      has_gemm_after = true;
    } else if (assignment.phases[i] == MoePhase::Exchange) {
      settle();
      has_gemm_before = has_gemm_after;
      has_gemm_after = false;
      waiting = i;
    }
  }
  settle();
}

void count_overlaps(const EventTimeline& timeline,
                    const std::vector<std::size_t>& order,
                    PhaseAssignment& assignment) {
  std::map<Track, std::int64_t> ends;
  for (const std::size_t i : order) {
    const TimelineEvent& event = timeline.events[i];
    if (is_device_work(event.kind) && event.stream >= 0) {
      const auto [end, is_new] = ends.try_emplace(track_of(event), event.end_ns());
      assignment.overlapping += !is_new && event.start_ns < end->second ? 1 : 0;
      end->second = std::max(end->second, event.end_ns());
    }
  }
}

}  // namespace

PhaseAssignment recognise_phases(const EventTimeline& timeline, const PhaseRules& rules) {
  PhaseAssignment assignment;
  assignment.phases.assign(timeline.events.size(), MoePhase::Unclassified);
  const auto from_ranges = phases_of_ranges(timeline, rules, assignment);
  CachedRules name_rules(rules, RuleSubject::Name, timeline.tables.names);
  CachedRules operation_rules(rules, RuleSubject::Operation, timeline.tables.names);
  const auto order = in_order_of_time(timeline);
  for (const std::size_t i : order) {
    const TimelineEvent& event = timeline.events[i];
    std::optional<MoePhase> own = name_rules.find(event.name);
    const CollectiveDetail* detail = timeline.collective(event);
    if (detail != nullptr && detail->operation.is_valid()) {
      const auto by_operation = operation_rules.find(detail->operation);
      own = !own || own == MoePhase::Other ? (by_operation ? by_operation : own) : own;
    }
    const bool is_vague = !own || own == MoePhase::Other || own == MoePhase::Exchange;
    assignment.phases[i] =
        is_vague && from_ranges[i] ? *from_ranges[i] : own.value_or(MoePhase::Unclassified);
  }
  tell_exchanges_apart(timeline, order, assignment);
  count_overlaps(timeline, order, assignment);
  return assignment;
}

std::vector<PhaseTotals> phase_totals(const EventTimeline& timeline,
                                      const PhaseAssignment& assignment,
                                      const PhaseRules& rules) {
  std::vector<PhaseTotals> totals(timeline.tables.processes.size());
  for (std::size_t i = 0; i < timeline.events.size(); ++i) {
    const TimelineEvent& event = timeline.events[i];
    if (!is_classified(event)) {
      continue;
    }
    PhaseTotal& total = totals[event.process][static_cast<std::size_t>(assignment.phases[i])];
    total.time_ns += event.duration_ns;
    total.count += 1;
    if (event.bytes >= 0) {
      total.bytes += event.bytes;
      total.timed_bytes_ns += event.duration_ns;
    }
  }
  for (const EventSummary& summary : timeline.tables.summaries) {
    const auto phase = rules.find(RuleSubject::Name, timeline.tables.names.text(summary.name));
    PhaseTotal& total =
        totals[summary.process][static_cast<std::size_t>(phase.value_or(MoePhase::Unclassified))];
    total.time_ns += summary.total_ns;
    total.count += summary.count;
  }
  return totals;
}

}  // namespace switchyard
