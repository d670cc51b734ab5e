#include "cli/simulation_run.hpp"

#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/framework/command.hpp"
#include "core/files/atomic_file.hpp"
#include "report/files/result_csv.hpp"
#include "report/files/result_json.hpp"
#include "report/files/result_store.hpp"
#include "report/files/timeline_file.hpp"
#include "report/summary.hpp"
#include "sim/placement_files.hpp"
#include "sim/replay/placement_plan.hpp"
#include "sim/replay/simulation.hpp"

namespace switchyard {
namespace {

std::optional<std::filesystem::path> path_option(const ParsedOptions& options,
                                                 const std::string& name) {
  const auto text = options.text(name);
  return text ? std::optional(std::filesystem::path(*text)) : std::nullopt;
}

TimelineLinks timeline_links(const Scenario& scenario) {
  TimelineLinks links;
  for (const Link& link : scenario.fabric->links()) {
    links.names.push_back(link.name);
  }
  links.rates = link_rates(*scenario.fabric, scenario.network_options);
  return links;
}

}  // namespace

void declare_outputs(OptionTable& table) {
  declare_json(table);
  declare_output(table, "write the summary or JSON to FILE");
  table.value("csv", "FOLDER", "write every table as CSV into FOLDER", Values::path())
      .value("timeline",
             "FILE",
             "write a timeline for ui.perfetto.dev (.json or .json.gz)",
             Values::path())
      .value("save", "FILE", "write a result file (SQLite)", Values::path())
      .value("placement-out",
             "FILE",
             "write the (last) placement: .json, .eplb.json, .yaml (TensorRT-LLM) or .csv",
             Values::path())
      .list("fail-if", "LIMIT", "exit with 1 if it holds: --fail-if \"rank_imbalance > 1.5\"");
  declare_quiet(table);
  declare_verbose(table);
}

SimulationRun::SimulationRun(const ParsedOptions& options)
    : output_(options.text_or("output", "-")),
      csv_(path_option(options, "csv")),
      timeline_(path_option(options, "timeline")),
      store_(path_option(options, "save")),
      placement_(path_option(options, "placement-out")),
      is_json_(options.has("json")),
      is_quiet_(options.has("quiet")),
      is_verbose_(options.has("verbose")),
      overwrite_(options.has("force")) {
  for (const std::string& limit : options.texts("fail-if")) {
    limits_.push_back(parse_limit(limit));
  }
  if (placement_) {
    (void)placement_format_of(*placement_);
  }
  for (const auto& path : {timeline_, store_, placement_}) {
    if (path) {
      check_writable(*path, overwrite_);
    }
  }
  if (output_ != "-") {
    check_writable(output_, overwrite_);
  }
  if (csv_) {
    check_csv_folder(*csv_, overwrite_);
  }
}

SimulationResult SimulationRun::simulate_with_timeline(const Scenario& scenario) const {
  ProgressBar bar(is_quiet_);
  SimulationHooks hooks{.progress = bar.callback()};
  if (!timeline_) {
    return simulate(scenario, hooks);
  }
  TimelineFile timeline(*timeline_, overwrite_, timeline_links(scenario));
  hooks.exchange = [&](const ExchangeRecord& exchange) { timeline.add(exchange); };
  hooks.layer = [&](const LayerResult& layer) { timeline.add(layer); };
  SimulationResult result = simulate(scenario, hooks);
  timeline.finish(result);
  return result;
}

std::string SimulationRun::document_text(const SimulationResult& result) const {
  if (is_json_) {
    return result_to_json(result).dump(2) + "\n";
  }
  const bool is_terminal = output_ == "-";
  return summary_text(result,
                      {.style = is_terminal ? TextStyle::of(stdout) : TextStyle(false),
                       .all_layers = is_verbose_,
                       .with_notes = !is_quiet_});
}

void SimulationRun::write_placement(const Scenario& scenario) const {
  const PlacementPlan plan(scenario);
  const std::string text = placement_text(
      plan.epochs().back().placement, placement_input(scenario), placement_format_of(*placement_));
  write_file(*placement_, text, overwrite_);
}

ExitCode SimulationRun::run(const Scenario& scenario, const std::string& closing) const {
  const SimulationResult result = simulate_with_timeline(scenario);
  if (csv_) {
    write_result_csv(result, *csv_, overwrite_);
  }
  if (store_) {
    write_result_store(result, *store_, overwrite_);
  }
  if (placement_) {
    write_placement(scenario);
  }
  std::string text = document_text(result);
  if (!is_json_ && !is_quiet_) {
    for (const auto& path : {timeline_, store_, csv_, placement_}) {
      if (path) {
        text += fmt::format("\nwritten: {}", path->string());
      }
    }
    text += (timeline_ || store_ || csv_ || placement_ ? "\n" : "") + closing;
  }
  write_file(output_, text, overwrite_);
  std::fflush(stdout);  // so that what follows on standard error comes after it
  if (result.is_partial) {
    throw Interrupted(
        fmt::format("interrupted: these are partial results, {} layers", result.layers.size()));
  }
  bool is_broken = false;
  for (const Limit& limit : limits_) {
    const std::string sentence = broken_limit(limit, result);
    if (!sentence.empty()) {
      fmt::print(stderr, "{}\n", sentence);
      is_broken = true;
    }
  }
  return is_broken ? ExitCode::LimitBroken : ExitCode::Ok;
}

}  // namespace switchyard
