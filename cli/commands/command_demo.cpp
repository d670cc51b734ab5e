// `demo`: the shortest way to an answer; needs no file, no GPU and no network.
#include <nlohmann/json.hpp>

#include "cli/framework/command.hpp"
#include "cli/sample_trace.hpp"
#include "cli/scenario_options.hpp"
#include "cli/simulation_run.hpp"

namespace switchyard {
namespace {

constexpr const char* kNext =
    "\nThis was a built-in synthetic trace of DeepSeek-V2-Lite's shape on two of eight\n"
    "H100 nodes. Try next:\n"
    "  switchyard demo --all-to-all node_dedup --timeline demo.json.gz\n"
    "      each token once to a node; open the file at ui.perfetto.dev\n"
    "  switchyard inspect sample:demo\n"
    "      which experts the tokens chose\n"
    "  switchyard route --model deepseek_v2_lite --tokens 128 -o my.trace\n"
    "      a trace of your own, for: switchyard simulate --trace my.trace ...\n";

class DemoCommand final : public Command {
 public:
  [[nodiscard]] std::string usage() const override { return "[OPTIONS]"; }

  [[nodiscard]] std::vector<std::string> examples() const override {
    return {"switchyard demo", "switchyard demo --placement round_robin -v"};
  }

  void declare(OptionTable& table) const override {
    declare_scenario(table);
    declare_outputs(table);
  }

  [[nodiscard]] ExitCode run(const ParsedOptions& options) const override {
    const SimulationRun run(options);
    nlohmann::json document{{"trace", {{"path", "sample:demo"}}},
                            {"topology", "hgx_h100_rail_64"},
                            {"ranks", 16},
                            {"model", "deepseek_v2_lite"}};
    apply_scenario_options(document, options);
    return run.run(load_scenario_with_samples(document, {"scenario", ""}), kNext);
  }
};

const RegisterCommand<DemoCommand> kDemo{"demo", "a first answer from built-in data, in seconds"};

}  // namespace
}  // namespace switchyard
