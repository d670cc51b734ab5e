// `simulate`: one scenario in, one result out.
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/exchange_run.hpp"
#include "cli/sample_trace.hpp"
#include "cli/scenario_options.hpp"
#include "cli/simulation_run.hpp"
#include "core/files/json_file.hpp"

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
    declare_outputs(table);
  }

  [[nodiscard]] ExitCode run(const ParsedOptions& options) const override {
    if (wants_exchange(options)) {
      return run_exchange(options);
    }
    const SimulationRun run(options);
    const auto file = options.text("SCENARIO");
    const Location where{file.value_or("scenario"), ""};
    nlohmann::json document =
        file ? read_json_file(*file) : nlohmann::json(nlohmann::json::object());
    if (!document.is_object()) {
      throw InvalidInput("is not a scenario: wanted a JSON object", where);
    }
    apply_scenario_options(document, options);
    return run.run(load_scenario_with_samples(document, where));
  }
};

const RegisterCommand<SimulateCommand> kSimulate{"simulate",
                                                 "what a routing trace costs on a cluster"};

}  // namespace
}  // namespace switchyard
