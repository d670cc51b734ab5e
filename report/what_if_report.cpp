#include "report/what_if_report.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/numbers/units.hpp"
#include "report/text_table.hpp"

namespace switchyard {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kShown = 12;
constexpr std::size_t kChangeWidth = 46;

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

std::string what_if_text(const WhatIfStudy& study, const TextStyle& style, bool all) {
  std::string text = style.bold("what if") + "\n";
  text += fmt::format("  budget: {} changes, each simulated on {} of {} layers (now {})\n",
                      study.ranked.size(),
                      study.layers,
                      study.of_layers,
                      format_quantity(Seconds{study.base_s}));
  TextTable table({{"change", TextTable::Align::Left}, {"time"}, {"gain"}, {"dropped"}});
  std::size_t shown = 0;
  std::size_t hidden = 0;
  std::size_t refused = 0;
  for (const WhatIfOutcome& outcome : study.ranked) {
    if (!outcome.time_s) {
      ++refused;
      continue;
    }
    if (shown == kShown && !all) {
      ++hidden;
      continue;
    }
    ++shown;
    table.add({shortened(outcome.what.change, kChangeWidth),
               format_quantity(Seconds{*outcome.time_s}),
               fmt::format("{:+.1f} %", 100 * outcome.gain),
               outcome.dropped_fraction > 0
                   ? fmt::format("{:.1f} %", 100 * outcome.dropped_fraction)
                   : "-"});
  }
  text += table.text();
  if (hidden > 0) {
    text += fmt::format("  {} more gain less (-v shows them)\n", hidden);
  }
  for (const WhatIfOutcome& outcome : study.ranked) {
    if (!outcome.time_s && all) {
      text += fmt::format("  not possible: {}: {}\n",
                          outcome.what.change,
                          outcome.refusal.empty() ? "interrupted" : first_line(outcome.refusal));
    }
  }
  if (refused > 0 && !all) {
    text += fmt::format("  {} are not possible here (-v says why)\n", refused);
  }
  return text;
}

ordered_json what_if_json(const WhatIfStudy& study) {
  ordered_json ranked = ordered_json::array();
  for (const WhatIfOutcome& outcome : study.ranked) {
    ordered_json row{{"kind", outcome.what.kind}, {"change", outcome.what.change}};
    row["time_s"] = outcome.time_s ? ordered_json(*outcome.time_s) : ordered_json();
    row["gain"] = outcome.time_s ? ordered_json(outcome.gain) : ordered_json();
    row["dropped_fraction"] = outcome.dropped_fraction;
    row["refusal"] = outcome.refusal.empty() ? ordered_json() : ordered_json(outcome.refusal);
    row["set"] = ordered_json(outcome.what.values);
    ranked.push_back(std::move(row));
  }
  return {{"base_s", study.base_s},
          {"layers", study.layers},
          {"of_layers", study.of_layers},
          {"is_partial", study.is_partial},
          {"ranked", std::move(ranked)}};
}

}  // namespace switchyard
