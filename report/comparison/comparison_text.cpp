#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "core/numbers/units.hpp"
#include "report/comparison/comparison.hpp"
#include "report/text_table.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kShownRanks = 8;

std::string time_text(const PhaseCell& cell) {
  return cell.count > 0 ? format_quantity(Seconds{cell.time_s}) : "-";
}

std::string wait_text(const PhaseCell& cell) {
  return cell.wait_s < 0 ? "-" : format_quantity(Seconds{cell.wait_s});
}

std::string ratio_text(const std::optional<double>& ratio) {
  return ratio ? fmt::format("{:.2f} x", *ratio) : "-";
}

std::string bytes_text(const PhaseCell& cell) {
  return cell.bytes < 0 ? "-" : format_quantity(Bytes{static_cast<std::int64_t>(cell.bytes)});
}

std::string rate_text(const PhaseCell& cell) {
  return cell.bytes <= 0 || cell.bytes_time_s <= 0
             ? "-"
             : format_quantity(BytesPerSecond{cell.bytes / cell.bytes_time_s});
}

std::string run_line(const char* letter, const ComparedRun& run) {
  return fmt::format("  {}  {}, {}, {} rank{}\n",
                     letter,
                     run.label,
                     run.is_simulated ? "simulated" : "measured",
                     run.ranks.size(),
                     run.ranks.size() == 1 ? "" : "s");
}

std::string phase_table(const std::vector<PhaseRatio>& ratios) {
  TextTable table({{"phase", TextTable::Align::Left},
                   {"A"},
                   {"calls"},
                   {"B"},
                   {"calls"},
                   {"B/A"},
                   {"per call"},
                   {"A waits"},
                   {"B waits"}});
  for (const PhaseRatio& ratio : ratios) {
    table.add({std::string(moe_phase_name(ratio.phase)),
               time_text(ratio.a),
               fmt::format("{}", ratio.a.count),
               time_text(ratio.b),
               fmt::format("{}", ratio.b.count),
               ratio_text(ratio.time),
               ratio_text(ratio.time_per_call),
               wait_text(ratio.a),
               wait_text(ratio.b)});
  }
  return table.text();
}

std::string byte_table(const std::vector<PhaseRatio>& ratios) {
  TextTable table({{"bytes", TextTable::Align::Left}, {"A"}, {"A rate"}, {"B"}, {"B rate"}});
  bool has_any = false;
  for (const PhaseRatio& ratio : ratios) {
    if (ratio.a.bytes > 0 || ratio.b.bytes > 0) {
      has_any = true;
      table.add({std::string(moe_phase_name(ratio.phase)),
                 bytes_text(ratio.a),
                 rate_text(ratio.a),
                 bytes_text(ratio.b),
                 rate_text(ratio.b)});
    }
  }
  return has_any ? "\n" + table.text() : "";
}

std::string percent(double share) {
  return fmt::format("{:.1f} %", 100 * share);
}

// What a calibration lets expect of the simulated times, beside the other run's.
std::string error_table(const ComparedRun& a, const ComparedRun& b) {
  TextTable table({{"expected error", TextTable::Align::Left},
                   {"run"},
                   {"median"},
                   {"95 % within"},
                   {"rows"},
                   {"calibration", TextTable::Align::Left}});
  bool has_any = false;
  for (const auto& [letter, run] : {std::pair("A", &a), std::pair("B", &b)}) {
    for (const MoePhase phase : {MoePhase::Dispatch, MoePhase::Combine}) {
      const ExpectedError* expected = run->expected_error(phase);
      if (expected != nullptr) {
        has_any = true;
        table.add(
            {std::string(moe_phase_name(phase)),
             letter,
             percent(expected->median),
             percent(expected->p95),
             fmt::format("{} {}", expected->rows, expected->is_held_out ? "held out" : "fitted"),
             expected->calibration});
      }
    }
  }
  return has_any ? "\n" + table.text() : "";
}

// Ranks that both runs name; nothing where a run knows none.
std::map<std::int32_t, std::pair<std::size_t, std::size_t>> common_ranks(const ComparedRun& a,
                                                                         const ComparedRun& b) {
  std::map<std::int32_t, std::pair<std::size_t, std::size_t>> rows;
  for (std::size_t i = 0; i < a.ranks.size(); ++i) {
    const auto found = std::find(b.ranks.begin(), b.ranks.end(), a.ranks[i]);
    if (a.ranks[i] >= 0 && found != b.ranks.end()) {
      rows[a.ranks[i]] = {i, static_cast<std::size_t>(found - b.ranks.begin())};
    }
  }
  return rows;
}

std::string rank_table(const ComparedRun& a, const ComparedRun& b, bool all_ranks) {
  const auto rows = common_ranks(a, b);
  if (rows.empty()) {
    return "\n  no rank is in both runs: only their means are compared\n";
  }
  TextTable table({{"rank"}, {"phase", TextTable::Align::Left}, {"A"}, {"B"}, {"B/A"}});
  std::size_t shown = 0;
  bool has_any = false;
  for (const auto& [rank, row] : rows) {
    if (!all_ranks && shown == kShownRanks) {
      break;
    }
    ++shown;
    for (const MoePhase phase : kLayerPhases) {
      const PhaseCell& left = a.phases[row.first][static_cast<std::size_t>(phase)];
      const PhaseCell& right = b.phases[row.second][static_cast<std::size_t>(phase)];
      if (left.count > 0 && right.count > 0) {
        has_any = true;
        table.add({fmt::format("{}", rank),
                   std::string(moe_phase_name(phase)),
                   time_text(left),
                   time_text(right),
                   ratio_text(ratio_of(right.time_s, left.time_s))});
      }
    }
  }
  if (!has_any) {
    return "\n  no rank has a phase of an MoE layer in both runs\n";
  }
  std::string text = "\n" + table.text();
  if (shown < rows.size()) {
    text += fmt::format("  and {} more ranks (-v shows them)\n", rows.size() - shown);
  }
  return text;
}

std::string notes_text(const char* letter, const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& note : notes) {
    text += fmt::format("  - {}: {}\n", letter, note);
  }
  return text;
}

}  // namespace

std::string comparison_text(const ComparedRun& a, const ComparedRun& b, bool all_ranks) {
  const auto ratios = compare_phases(a, b);
  std::string text = run_line("A", a) + run_line("B", b) + "\n";
  text +=
      phase_table(ratios) + error_table(a, b) + byte_table(ratios) + rank_table(a, b, all_ranks);
  std::string notes;
  for (const std::string& warning : comparison_warnings(a, b)) {
    notes += "  - " + warning + "\n";
  }
  notes += notes_text("A", a.notes) + notes_text("B", b.notes);
  return notes.empty() ? text : text + "\nnotes\n" + notes;
}

}  // namespace switchyard
