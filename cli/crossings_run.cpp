#include "cli/crossings_run.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/framework/command.hpp"
#include "sim/affinity/crossing_report.hpp"

namespace switchyard {

void declare_crossings(OptionTable& table) {
  table.flag("crossings",
             "instead of simulating: how often tokens change GPU and node between layers");
}

bool wants_crossings(const ParsedOptions& options) {
  return options.has("crossings");
}

ExitCode run_crossings(const ParsedOptions& options, const Scenario& scenario) {
  const CrossingReport report = report_crossings(scenario);
  if (options.has("json")) {
    const nlohmann::ordered_json document{{"format_version", 1},
                                          {"scenario_hash", scenario.hash},
                                          {"tokens", report.tokens},
                                          {"crossings_per_token", report.per_token},
                                          {"node_crossings_per_token", report.node_per_token},
                                          {"weighted_crossings_per_token", report.weighted()},
                                          {"memoryless_crossings_per_token", report.memoryless},
                                          {"crossing_fraction_by_layer", report.by_layer}};
    write_output(options, document.dump(2) + "\n");
    return ExitCode::Ok;
  }
  write_output(
      options,
      fmt::format(
          "{} tokens followed by their main expert through {} layers on {} GPUs\n"
          "  changes of GPU     {:.3f}  per token and pass\n"
          "  changes of node    {:.3f}  of them\n"
          "  weighted           {:.3f}  a change of node counting twice\n"
          "  memoryless         {:.3f}  if every token went anywhere alike: {:+.1f} % against it\n",
          report.tokens,
          report.by_layer.size() + 1,
          scenario.ranks,
          report.per_token,
          report.node_per_token,
          report.weighted(),
          report.memoryless,
          report.memoryless > 0 ? 100 * (report.per_token / report.memoryless - 1) : 0));
  return ExitCode::Ok;
}

}  // namespace switchyard
