// `simulate`: one scenario in, one result out.
#include <nlohmann/json.hpp>

#include "cli/capacity_sweep_run.hpp"
#include "cli/crossings_run.hpp"
#include "cli/exchange_run.hpp"
#include "cli/framework/command.hpp"
#include "cli/sample_trace.hpp"
#include "cli/scenario_options.hpp"
#include "cli/simulation_run.hpp"

namespace switchyard {
namespace {

class SimulateCommand final : public Command {
 public:
  [[nodiscard]] std::string usage() const override { return "[SCENARIO] [OPTIONS]"; }

  [[nodiscard]] std::vector<std::string> examples() const override {
    return {"switchyard simulate --trace my.trace --topology dgx_h100_8 --all-to-all pairwise",
            "switchyard simulate scenario.json --set capacity.factor=1.25 --json"};
  }

  void declare(OptionTable& table) const override {
    table.argument("SCENARIO", "scenario document (JSON); flags below override it", Values::path());
    declare_scenario(table);
    declare_exchange(table);
    declare_capacity_sweep(table);
    declare_crossings(table);
    declare_outputs(table);
  }

  [[nodiscard]] ExitCode run(const ParsedOptions& options) const override {
    if (wants_exchange(options)) {
      return run_exchange(options);
    }
    const SimulationRun run(options);
    const Location where{options.text_or("SCENARIO", "scenario"), ""};
    nlohmann::json document = scenario_argument(options, "a scenario");
    apply_scenario_options(document, options);
    const Scenario scenario = load_scenario_with_samples(document, where);
    if (wants_capacity_sweep(options)) {
      return run_capacity_sweep(options, scenario);
    }
    return wants_crossings(options) ? run_crossings(options, scenario) : run.run(scenario);
  }
};

const RegisterCommand<SimulateCommand> kSimulate{"simulate",
                                                 "what a routing trace costs on a cluster"};

}  // namespace
}  // namespace switchyard
