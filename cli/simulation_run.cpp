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
#include "report/what_if_report.hpp"
#include "sim/placement_files.hpp"
#include "sim/replay/placement_plan.hpp"
#include "sim/replay/simulation.hpp"

namespace switchyard {
namespace {

constexpr std::int64_t kExplainLayers = 8;

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
             "write the placement, the last one of a run with placement.period: .json, .eplb.json, "
             ".yaml (TensorRT-LLM) or .csv",
             Values::path())
      .list("fail-if", "LIMIT", "exit with 1 if it holds: --fail-if \"rank_imbalance > 1.5\"");
  table.flag("explain", "rank what would make it faster, each change simulated")
      .value(
          "explain-layers", "N", "layers that --explain simulates per change; 0 = all, default 8");
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
      overwrite_(options.has("force")),
      explains_(options.has("explain")),
      explain_layers_(static_cast<std::size_t>(
          options.integer("explain-layers", {0, 1'000'000}).value_or(kExplainLayers))) {
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

std::optional<WhatIfStudy> SimulationRun::explain(const Scenario& scenario,
                                                  const SimulationResult& result) const {
  if (!explains_ || result.is_partial) {
    return std::nullopt;
  }
  if (!result.total.step_s) {
    throw MissingCapability("--explain compares step times, which this trace does not allow",
                            {"--explain", ""},
                            "use counts per source rank (L1) or token ids (L2)");
  }
  ProgressBar bar(is_quiet_);
  return study_what_ifs(
      scenario, result, {.most_layers = explain_layers_, .progress = bar.callback()});
}

std::string SimulationRun::document_text(const SimulationResult& result,
                                         const std::optional<WhatIfStudy>& study) const {
  if (is_json_) {
    nlohmann::ordered_json document = result_to_json(result);
    if (study) {
      document["explain"] = what_if_json(*study);
    }
    return document.dump(2) + "\n";
  }
  const TextStyle style = output_ == "-" ? TextStyle::of(stdout) : TextStyle(false);
  std::string text =
      summary_text(result, {.style = style, .all_layers = is_verbose_, .with_notes = !is_quiet_});
  if (study) {
    text += "\n" + what_if_text(*study, style, is_verbose_);
  }
  return text;
}

std::string SimulationRun::write_placement(const Scenario& scenario) const {
  const PlacementPlan plan(scenario);
  const std::string text = placement_text(
      plan.epochs().back().placement, placement_input(scenario), placement_format_of(*placement_));
  write_file(*placement_, text, overwrite_);
  const std::size_t count = plan.epochs().size();
  return count == 1 ? ""
                    : fmt::format(" (the last of {} placements, from step {} on)",
                                  count,
                                  plan.epochs().back().first_step);
}

ExitCode SimulationRun::run(const Scenario& scenario, const std::string& closing) const {
  const SimulationResult result = simulate_with_timeline(scenario);
  if (csv_) {
    write_result_csv(result, *csv_, overwrite_);
  }
  if (store_) {
    write_result_store(result, *store_, overwrite_);
  }
  const std::string which = placement_ ? write_placement(scenario) : "";
  const std::optional<WhatIfStudy> study = explain(scenario, result);
  std::string text = document_text(result, study);
  if (!is_json_ && !is_quiet_) {
    for (const auto& path : {timeline_, store_, csv_, placement_}) {
      if (path) {
        text += fmt::format("\nwritten: {}{}", path->string(), path == placement_ ? which : "");
      }
    }
    text += (timeline_ || store_ || csv_ || placement_ ? "\n" : "") + closing;
  }
  write_file(output_, text, overwrite_);
  std::fflush(stdout);  // so that what follows on standard error comes after it
  if (study && study->is_partial) {
    throw Interrupted("interrupted: not every what-if was simulated");
  }
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
