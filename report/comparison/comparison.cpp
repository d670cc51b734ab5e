#include "report/comparison/comparison.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/numbers/units.hpp"
#include "report/text_table.hpp"

namespace switchyard {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kShownRanks = 8;
// Phases whose names say what an MoE layer does; the rest is context.
constexpr std::array<MoePhase, 8> kLayerPhases{MoePhase::Gate,
                                               MoePhase::Permute,
                                               MoePhase::Dispatch,
                                               MoePhase::Wait,
                                               MoePhase::ExpertGemm,
                                               MoePhase::Combine,
                                               MoePhase::Unpermute,
                                               MoePhase::Exchange};

std::optional<double> ratio_of(double b, double a) {
  return a > 0 && b > 0 ? std::optional(b / a) : std::nullopt;
}

double per_call(const PhaseCell& cell) {
  return cell.count > 0 ? cell.time_s / static_cast<double>(cell.count) : 0;
}

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

// What makes totals incomparable.
std::vector<std::string> warnings(const std::vector<PhaseRatio>& ratios) {
  std::vector<std::string> found;
  for (const PhaseRatio& ratio : ratios) {
    const bool is_layer_phase =
        std::find(kLayerPhases.begin(), kLayerPhases.end(), ratio.phase) != kLayerPhases.end();
    if (is_layer_phase && ratio.time && ratio.a.count != ratio.b.count) {
      found.push_back(
          fmt::format("{} ran {} times a rank in A and {} in B: look at the ratio per call, or "
                      "compare as many layers and steps",
                      moe_phase_name(ratio.phase),
                      ratio.a.count,
                      ratio.b.count));
    }
  }
  return found;
}

std::string notes_text(const char* letter, const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& note : notes) {
    text += fmt::format("  - {}: {}\n", letter, note);
  }
  return text;
}

ordered_json known(double value) {
  return value < 0 ? ordered_json(nullptr) : ordered_json(value);
}

ordered_json optional(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json cell_json(const PhaseCell& cell) {
  const bool has_rate = cell.bytes > 0 && cell.bytes_time_s > 0;
  return {{"time_s", cell.time_s},
          {"count", cell.count},
          {"bytes", known(cell.bytes)},
          {"rate", has_rate ? ordered_json(cell.bytes / cell.bytes_time_s) : ordered_json(nullptr)},
          {"wait_s", known(cell.wait_s)}};
}

ordered_json run_json(const ComparedRun& run) {
  ordered_json ranks = ordered_json::array();
  for (std::size_t i = 0; i < run.ranks.size(); ++i) {
    ordered_json phases = ordered_json::object();
    for (std::size_t phase = 0; phase < kMoePhases; ++phase) {
      if (run.phases[i][phase].count > 0) {
        phases[std::string(kMoePhaseNames[phase])] = cell_json(run.phases[i][phase]);
      }
    }
    const ordered_json rank = run.ranks[i] < 0 ? ordered_json(nullptr) : ordered_json(run.ranks[i]);
    ranks.push_back({{"rank", rank}, {"phases", std::move(phases)}});
  }
  return {{"file", run.label},
          {"is_simulated", run.is_simulated},
          {"ranks", std::move(ranks)},
          {"notes", run.notes}};
}

}  // namespace

std::vector<PhaseRatio> compare_phases(const ComparedRun& a, const ComparedRun& b) {
  std::vector<PhaseRatio> ratios;
  for (std::size_t i = 0; i < kMoePhases; ++i) {
    PhaseRatio ratio;
    ratio.phase = static_cast<MoePhase>(i);
    ratio.a = a.mean(ratio.phase);
    ratio.b = b.mean(ratio.phase);
    if (ratio.a.time_s > 0 || ratio.b.time_s > 0) {
      ratio.time = ratio_of(ratio.b.time_s, ratio.a.time_s);
      ratio.time_per_call = ratio_of(per_call(ratio.b), per_call(ratio.a));
      ratios.push_back(ratio);
    }
  }
  return ratios;
}

std::string comparison_text(const ComparedRun& a, const ComparedRun& b, bool all_ranks) {
  const auto ratios = compare_phases(a, b);
  std::string text = run_line("A", a) + run_line("B", b) + "\n";
  text += phase_table(ratios) + byte_table(ratios) + rank_table(a, b, all_ranks);
  std::string notes;
  for (const std::string& warning : warnings(ratios)) {
    notes += "  - " + warning + "\n";
  }
  notes += notes_text("A", a.notes) + notes_text("B", b.notes);
  return notes.empty() ? text : text + "\nnotes\n" + notes;
}

ordered_json comparison_to_json(const ComparedRun& a, const ComparedRun& b) {
  const auto ratios = compare_phases(a, b);
  ordered_json phases = ordered_json::object();
  for (const PhaseRatio& ratio : ratios) {
    phases[std::string(moe_phase_name(ratio.phase))] = {
        {"a", cell_json(ratio.a)},
        {"b", cell_json(ratio.b)},
        {"ratio", optional(ratio.time)},
        {"ratio_per_call", optional(ratio.time_per_call)}};
  }
  return {{"phases", std::move(phases)},
          {"a", run_json(a)},
          {"b", run_json(b)},
          {"warnings", warnings(ratios)}};
}

std::vector<std::string> comparison_keys() {
  std::vector<std::string> keys;
  for (const std::string_view phase : kMoePhaseNames) {
    for (const char* value : {"ratio", "ratio_per_call", "a_s", "b_s"}) {
      keys.push_back(fmt::format("{}.{}", phase, value));
    }
  }
  return keys;
}

std::string broken_limit(const Limit& limit, const ComparedRun& a, const ComparedRun& b) {
  for (const PhaseRatio& ratio : compare_phases(a, b)) {
    const std::string prefix = std::string(moe_phase_name(ratio.phase)) + ".";
    const auto seconds = [](const PhaseCell& cell) {
      return cell.count > 0 ? std::optional(cell.time_s) : std::nullopt;
    };
    std::optional<double> value;
    if (limit.metric == prefix + "ratio") {
      value = ratio.time;
    } else if (limit.metric == prefix + "ratio_per_call") {
      value = ratio.time_per_call;
    } else if (limit.metric == prefix + "a_s") {
      value = seconds(ratio.a);
    } else if (limit.metric == prefix + "b_s") {
      value = seconds(ratio.b);
    }
    if (value) {
      return limit.is_broken_by(*value)
                 ? fmt::format("limit broken: {} ({} is {:.4g})", limit.text, limit.metric, *value)
                 : "";
    }
  }
  throw MissingCapability(
      fmt::format("{} cannot be computed: a run has no such phase", limit.metric),
      {"--fail-if", ""},
      "see the table without --fail-if");
}

}  // namespace switchyard
