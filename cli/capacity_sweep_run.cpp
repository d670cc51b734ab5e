#include "cli/capacity_sweep_run.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/framework/command.hpp"
#include "report/terminal.hpp"
#include "report/text_table.hpp"
#include "sim/capacity_sweep.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kOption = "capacity-sweep";
constexpr std::size_t kFullTable = 40;
constexpr std::size_t kShortTable = 20;

std::vector<double> parse_factors(const std::string& text) {
  std::vector<double> factors;
  std::size_t start = 0;
  while (start <= text.size()) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    double factor = 0;
    const auto [after, problem] = std::from_chars(text.data() + start, text.data() + end, factor);
    if (problem != std::errc() || after != text.data() + end) {
      throw InvalidInput(fmt::format("\"{}\" is no number", text.substr(start, end - start)),
                         {"--capacity-sweep", ""},
                         "list factors with commas: --capacity-sweep 1,1.25,1.5,2");
    }
    factors.push_back(factor);
    start = end + 1;
  }
  std::sort(factors.begin(), factors.end());
  factors.erase(std::unique(factors.begin(), factors.end()), factors.end());
  return factors;
}

CapacitySweepOptions sweep_options(const ParsedOptions& options, const Scenario& scenario) {
  CapacitySweepOptions sweep;
  sweep.factors = parse_factors(*options.text(kOption));
  const json capacity = json::parse(scenario.resolved_json).at("capacity");
  const std::string order = capacity.value("order", "choice");
  const std::string scope = capacity.value("scope", "rank");
  sweep.order = order == "token"    ? SlotQueue::Order::Token
                : order == "choice" ? SlotQueue::Order::Choice
                : order == "weight" ? SlotQueue::Order::Weight
                                    : SlotQueue::Order::Random;
  sweep.scope = scope == "rank"    ? SlotQueue::Scope::Rank
                : scope == "group" ? SlotQueue::Scope::Group
                                   : SlotQueue::Scope::Global;
  sweep.group_tokens = capacity.value("group_tokens", std::size_t{4096});
  // Without a limiting policy there is no minimum to speak of; a factor too small is then shown.
  sweep.minimum = capacity.contains("factor") ? capacity.value("minimum", std::int64_t{1}) : 1;
  sweep.top_k = scenario.model.top_k;
  sweep.threads = std::max(1U, std::thread::hardware_concurrency());
  return sweep;
}

double share(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

ordered_json point_json(const CapacitySweep& sweep, const CapacitySweepRow& row, std::size_t i) {
  const CapacitySweepPoint& point = row.points[i];
  const auto pairs = static_cast<double>(row.pairs);
  const auto slots = static_cast<double>(point.slots);
  ordered_json object{{"factor", sweep.factors[i]},
                      {"dropped_fraction", share(pairs - static_cast<double>(point.kept), pairs)},
                      {"padded_fraction", share(slots - static_cast<double>(point.kept), slots)},
                      {"lost_token_fraction", nullptr},
                      {"dropped_gate_mass", nullptr}};
  if (sweep.has_tokens) {
    object["lost_token_fraction"] =
        share(static_cast<double>(point.lost_tokens), static_cast<double>(row.tokens));
  }
  if (sweep.has_weights) {
    object["dropped_gate_mass"] = share(point.dropped_gate_mass, row.gate_mass);
  }
  return object;
}

ordered_json row_json(const CapacitySweep& sweep, const CapacitySweepRow& row) {
  ordered_json object{{"tokens", row.tokens}, {"pairs", row.pairs}};
  object["points"] = ordered_json::array();
  for (std::size_t i = 0; i < sweep.factors.size(); ++i) {
    object["points"].push_back(point_json(sweep, row, i));
  }
  object["needed_factor"] = ordered_json::array();
  for (std::size_t i = 0; i < sweep.kept_goals.size(); ++i) {
    object["needed_factor"].push_back(
        {{"kept", sweep.kept_goals[i]}, {"factor", row.needed_factor[i]}});
  }
  return object;
}

std::string document(const CapacitySweep& sweep, const Scenario& scenario) {
  ordered_json all{{"format_version", 1},
                   {"scenario_hash", scenario.hash},
                   {"fidelity", fidelity_name(fidelity_of(*scenario.routing))},
                   {"total", row_json(sweep, sweep.total())},
                   {"layers", ordered_json::array()}};
  for (const CapacitySweepRow& row : sweep.rows) {
    ordered_json object{{"step", row.step}, {"layer", row.layer}};
    object.update(row_json(sweep, row));
    all["layers"].push_back(std::move(object));
  }
  return all.dump(2) + "\n";
}

std::string percent(const ordered_json& value) {
  return value.is_null() ? "-" : fmt::format("{:.3f} %", 100 * value.get<double>());
}

std::string factor_table(const CapacitySweep& sweep) {
  TextTable table({{"factor"}, {"choices dropped"}, {"gate mass"}, {"tokens lost"}, {"padding"}});
  const CapacitySweepRow total = sweep.total();
  for (std::size_t i = 0; i < sweep.factors.size(); ++i) {
    const ordered_json point = point_json(sweep, total, i);
    table.add({fmt::format("{:g}", sweep.factors[i]),
               percent(point["dropped_fraction"]),
               percent(point["dropped_gate_mass"]),
               percent(point["lost_token_fraction"]),
               percent(point["padded_fraction"])});
  }
  return "all steps and layers\n" + table.text();
}

std::string needed_table(const CapacitySweep& sweep, bool all) {
  std::vector<CapacitySweepRow> rows = sweep.rows;
  const bool is_cut = !all && rows.size() > kFullTable;
  if (is_cut) {
    std::stable_sort(rows.begin(), rows.end(), [](const auto& left, const auto& right) {
      return left.needed_factor.back() > right.needed_factor.back();
    });
    rows.resize(kShortTable);
  }
  std::vector<TextTable::Column> columns{{"step"}, {"layer"}};
  for (const double goal : sweep.kept_goals) {
    columns.push_back({fmt::format("{:g} %", 100 * goal)});
  }
  TextTable table(columns);
  for (const CapacitySweepRow& row : rows) {
    std::vector<std::string> cells{fmt::format("{}", row.step), fmt::format("{}", row.layer)};
    for (const double factor : row.needed_factor) {
      cells.push_back(fmt::format("{:.2f}", factor));
    }
    table.add(std::move(cells));
  }
  const std::string title =
      is_cut
          ? fmt::format(" (the {} most demanding of {}; all: -v)", kShortTable, sweep.rows.size())
          : "";
  return "\nfactor needed to keep a share of the choices" + title + "\n" + table.text();
}

}  // namespace

void declare_capacity_sweep(OptionTable& table) {
  table.value(kOption,
              "FACTORS",
              "instead of simulating: what each capacity factor drops, --capacity-sweep 1,1.25,2");
}

bool wants_capacity_sweep(const ParsedOptions& options) {
  return options.has(kOption);
}

ExitCode run_capacity_sweep(const ParsedOptions& options, const Scenario& scenario) {
  for (const char* other : {"csv", "timeline", "save", "placement-out", "fail-if"}) {
    if (options.has(other)) {
      throw InvalidInput("means nothing beside --capacity-sweep, which simulates nothing",
                         {std::string("--") + other, ""});
    }
  }
  ProgressBar bar(options.has("quiet"));
  std::optional<RankAssignment> ranks;
  if (const auto* trace = std::get_if<RoutingTrace>(scenario.routing.get())) {
    ranks.emplace(*trace, scenario.rank_rule, scenario.ranks);
  }
  const CapacitySweep sweep = sweep_capacity(*scenario.routing,
                                             ranks ? &*ranks : nullptr,
                                             sweep_options(options, scenario),
                                             bar.callback());
  write_output(options,
               options.has("json")
                   ? document(sweep, scenario)
                   : factor_table(sweep) + needed_table(sweep, options.has("verbose")));
  return ExitCode::Ok;
}

}  // namespace switchyard
