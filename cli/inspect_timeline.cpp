// Measured timelines as `inspect` shows them: who was recorded, what took the time, how much of it
// belongs to which phase of an MoE layer, and what to know before trusting it.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "cli/inspection.hpp"
#include "profiler/measured_traffic.hpp"
#include "profiler/phases/phase_recognition.hpp"
#include "report/text_table.hpp"

namespace switchyard {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kShownNames = 10;
constexpr std::size_t kNameWidth = 48;

std::string time_text(std::int64_t nanoseconds) {
  return format_quantity(Seconds{static_cast<double>(nanoseconds) * 1e-9});
}

ordered_json known(std::int64_t number) {
  return number < 0 ? ordered_json(nullptr) : ordered_json(number);
}

struct Sum {
  std::int64_t count = 0;
  std::int64_t time_ns = 0;
};

std::string processes_text(const TimelineTables& tables, ordered_json& document) {
  std::string text;
  document["processes"] = ordered_json::array();
  for (const TimelineProcess& process : tables.processes) {
    document["processes"].push_back({{"rank", known(process.rank)},
                                     {"world_size", known(process.world_size)},
                                     {"process_id", known(process.process_id)},
                                     {"host", process.host}});
  }
  const std::size_t count = tables.processes.size();
  const std::size_t ranked = static_cast<std::size_t>(
      std::count_if(tables.processes.begin(), tables.processes.end(), [](const auto& one) {
        return one.rank >= 0;
      }));
  text += fmt::format("  {:<14}{} process{}", "recorded", count, count == 1 ? "" : "es");
  text += ranked == count ? ", rank known\n" : fmt::format(", {} without a rank\n", count - ranked);
  for (const TimelineDevice& device : tables.devices) {
    if (device.process == 0) {
      text += fmt::format("  {:<14}{} {}\n", "device", device.device, device.name);
      break;
    }
  }
  return text;
}

std::string kinds_text(const EventTimeline& timeline, ordered_json& document) {
  std::array<Sum, kEventKinds> sums;
  for (const TimelineEvent& event : timeline.events) {
    Sum& sum = sums[static_cast<std::size_t>(event.kind)];
    sum.count += 1;
    sum.time_ns += event.duration_ns;
  }
  TextTable table({{"events", TextTable::Align::Left}, {"count"}, {"time"}});
  document["events"] = ordered_json::object();
  for (std::size_t i = 0; i < kEventKinds; ++i) {
    if (sums[i].count > 0) {
      const std::string kind(event_kind_name(static_cast<EventKind>(i)));
      document["events"][kind] = {{"count", sums[i].count}, {"time_ns", sums[i].time_ns}};
      table.add({kind, fmt::format("{}", sums[i].count), time_text(sums[i].time_ns)});
    }
  }
  return document["events"].empty() ? "" : "\n" + table.text();
}

std::string names_text(const EventTimeline& timeline, ordered_json& document) {
  std::map<std::int32_t, Sum> by_name;
  for (const TimelineEvent& event : timeline.events) {
    if (event.kind == EventKind::Kernel) {
      Sum& sum = by_name[event.name.value];
      sum.count += 1;
      sum.time_ns += event.duration_ns;
    }
  }
  for (const EventSummary& summary : timeline.tables.summaries) {
    Sum& sum = by_name[summary.name.value];
    sum.count += summary.count;
    sum.time_ns += summary.total_ns;
  }
  std::vector<std::pair<std::int32_t, Sum>> order(by_name.begin(), by_name.end());
  std::stable_sort(order.begin(), order.end(), [](const auto& left, const auto& right) {
    return left.second.time_ns > right.second.time_ns;
  });
  order.resize(std::min(order.size(), kShownNames));
  TextTable table({{"longest kernels", TextTable::Align::Left}, {"count"}, {"time"}});
  document["longest_kernels"] = ordered_json::array();
  for (const auto& [id, sum] : order) {
    const std::string& name = timeline.tables.names.text(NameId(id));
    document["longest_kernels"].push_back(
        {{"name", name}, {"count", sum.count}, {"time_ns", sum.time_ns}});
    table.add({shortened(name, kNameWidth), fmt::format("{}", sum.count), time_text(sum.time_ns)});
  }
  return order.empty() ? "" : "\n" + table.text();
}

std::string phases_text(const EventTimeline& timeline,
                        const PhaseRules& rules,
                        ordered_json& document) {
  const PhaseAssignment assignment = recognise_phases(timeline, rules);
  std::array<PhaseTotal, kMoePhases> sums{};
  std::int64_t all_ns = 0;
  for (const PhaseTotals& totals : phase_totals(timeline, assignment, rules)) {
    for (std::size_t phase = 0; phase < kMoePhases; ++phase) {
      sums[phase].time_ns += totals[phase].time_ns;
      sums[phase].count += totals[phase].count;
      all_ns += totals[phase].time_ns;
    }
  }
  if (all_ns == 0) {
    return "";
  }
  TextTable table({{"phases", TextTable::Align::Left}, {"count"}, {"time"}, {"share"}});
  document["phases"] = ordered_json::object();
  for (std::size_t phase = 0; phase < kMoePhases; ++phase) {
    const double share = static_cast<double>(sums[phase].time_ns) / static_cast<double>(all_ns);
    document["phases"][std::string(kMoePhaseNames[phase])] = {
        {"count", sums[phase].count}, {"time_ns", sums[phase].time_ns}, {"share", share}};
    if (sums[phase].count > 0) {
      table.add({std::string(kMoePhaseNames[phase]),
                 fmt::format("{}", sums[phase].count),
                 time_text(sums[phase].time_ns),
                 fmt::format("{:.1f} %", share * 100)});
    }
  }
  const std::size_t unknown = static_cast<std::size_t>(MoePhase::Unclassified);
  std::string text = "\n" + table.text();
  text +=
      fmt::format("  {:.1f} % of the GPU time matched no rule\n",
                  100 * static_cast<double>(sums[unknown].time_ns) / static_cast<double>(all_ns));
  document["exchanges_told_by_position"] = assignment.by_position;
  document["overlapping_events"] = assignment.overlapping;
  document["crossing_ranges"] = assignment.unnested_ranges;
  if (assignment.by_position > 0) {
    text += fmt::format("  {} exchanges told apart by the expert GEMMs around them\n",
                        assignment.by_position);
  }
  if (assignment.overlapping > 0) {
    text += fmt::format("  {} device events begin before their stream's last one ended\n",
                        assignment.overlapping);
  }
  if (assignment.unnested_ranges > 0) {
    text += fmt::format("  {} ranges cross another of their thread: the later one counts\n",
                        assignment.unnested_ranges);
  }
  return text;
}

std::string timings_text(const TimelineTables& tables, ordered_json& document) {
  if (tables.timings.empty()) {
    return "";
  }
  TextTable table(
      {{"timings", TextTable::Align::Left}, {"bytes"}, {"time"}, {"bus rate"}, {"rank"}});
  document["timings"] = ordered_json::array();
  for (const CollectiveTiming& timing : tables.timings) {
    const std::string& operation = tables.names.text(timing.operation);
    document["timings"].push_back({{"operation", operation},
                                   {"ranks", known(timing.ranks)},
                                   {"rank", known(timing.rank)},
                                   {"bytes", known(timing.bytes)},
                                   {"time_ns", timing.time_ns},
                                   {"algorithm_bandwidth", timing.algorithm_bandwidth},
                                   {"bus_bandwidth", timing.bus_bandwidth},
                                   {"is_in_place", timing.is_in_place}});
    table.add(
        {operation + (timing.is_in_place ? " in place" : ""),
         fmt::format("{}", timing.bytes),
         format_quantity(Seconds{timing.time_ns * 1e-9}),
         timing.bus_bandwidth < 0 ? "-" : format_quantity(BytesPerSecond{timing.bus_bandwidth}),
         timing.rank < 0 ? "-" : fmt::format("{}", timing.rank)});
  }
  return "\n" + table.text();
}

// The traffic matrix, if the profile recorded who sent to whom. The text names the heaviest pair.
std::string traffic_text(const EventTimeline& timeline, ordered_json& document) {
  const MeasuredTraffic traffic = measured_traffic(timeline);
  if (traffic.messages == 0) {
    return "";
  }
  const Matrix<std::int64_t>& bytes = traffic.bytes;
  ordered_json rows = ordered_json::array();
  std::int64_t total = 0;
  std::size_t from = 0;
  std::size_t to = 0;
  for (std::size_t row = 0; row < bytes.rows(); ++row) {
    rows.push_back(std::vector<std::int64_t>(bytes.row(row).begin(), bytes.row(row).end()));
    for (std::size_t column = 0; column < bytes.columns(); ++column) {
      total += bytes(row, column);
      // What a rank keeps for itself crosses no link.
      if (row != column && (from == to || bytes(row, column) > bytes(from, to))) {
        from = row;
        to = column;
      }
    }
  }
  document["traffic_bytes"] = std::move(rows);
  document["all_to_alls_without_splits"] = traffic.without_peer;
  std::string text = fmt::format("\ntraffic between ranks\n  {:<14}{}\n  {:<14}{}, rank {} to {}\n",
                                 "total",
                                 format_quantity(Bytes{total}),
                                 "heaviest pair",
                                 format_quantity(Bytes{bytes(from, to)}),
                                 from,
                                 to);
  if (traffic.without_peer > 0) {
    text +=
        fmt::format("  {} all-to-alls recorded no split sizes: not in it\n", traffic.without_peer);
  }
  return text;
}

std::string notes_text(const TimelineTables& tables, ordered_json& document) {
  document["notes"] = ordered_json::array();
  std::string text;
  for (const TimelineNote& note : tables.notes) {
    document["notes"].push_back(
        {{"kind", note_kind_name(note.kind)}, {"text", note.text}, {"count", note.count}});
    text += fmt::format("  {:<10}{} {}\n", note_kind_name(note.kind), note.count, note.text);
  }
  return text.empty() ? "" : "\nnotes\n" + text;
}

}  // namespace

Inspection inspect_timeline(const EventTimeline& timeline, const PhaseRules& rules) {
  const TimelineTables& tables = timeline.tables;
  Inspection inspection;
  ordered_json& document = inspection.document;
  document = {{"kind", "timeline"}, {"format", tables.format}, {"source", tables.source}};
  inspection.text = fmt::format("  {:<14}measured timeline\n", "kind");
  inspection.text += processes_text(tables, document);
  inspection.text += kinds_text(timeline, document);
  inspection.text += names_text(timeline, document);
  inspection.text += phases_text(timeline, rules, document);
  inspection.text += timings_text(tables, document);
  inspection.text += traffic_text(timeline, document);
  inspection.text += notes_text(tables, document);
  return inspection;
}

}  // namespace switchyard
