// `offload`: experts that do not fit in GPU memory, cached, prefetched and fetched from the host.
#include <array>
#include <memory>
#include <optional>

#include <nlohmann/json.hpp>

#include "cli/framework/catalogue.hpp"
#include "cli/framework/command.hpp"
#include "cli/sample_trace.hpp"
#include "cli/scenario_options.hpp"
#include "core/files/atomic_file.hpp"
#include "report/offload_report.hpp"
#include "sim/replay/scenario.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

// An option and the setting it stands for.
struct OptionSetting {
  const char* option;
  const char* path;
};

constexpr std::array<OptionSetting, 9> kSettings{{{"trace", "trace"},
                                                  {"topology", "topology"},
                                                  {"model", "model"},
                                                  {"policy", "policy"},
                                                  {"device", "compute.device"},
                                                  {"cache", "memory.cache"},
                                                  {"split", "memory.split"},
                                                  {"gpus", "memory.gpus"},
                                                  {"batch", "batching.tokens"}}};

class OffloadCommand final : public Command {
 public:
  [[nodiscard]] std::string usage() const override { return "[SCENARIO] [OPTIONS]"; }

  [[nodiscard]] std::vector<std::string> examples() const override {
    return {"switchyard offload --trace my.trace --model mixtral_8x7b --device rtx_4090",
            "switchyard offload --trace my.trace --model gpt_oss_20b --cache 4GB --policy lfu"};
  }

  void declare(OptionTable& table) const override {
    table.argument("SCENARIO", "offload scenario (JSON); flags below override it", Values::path())
        .value("trace", "FILE", "routing trace with expert ids, native format", Values::path())
        .value("model", "NAME", "sizes of the model, if the trace lacks them", names_of("models"))
        .value("device", "NAME", "GPU, its memory and its host link", names_of("devices"))
        .value("topology", "NAME|FILE", "take host and SSD links from it", names_of("topologies"))
        .value("gpus", "N", "that share the experts; default 1")
        .value("cache", "BYTES", "expert weights that a GPU keeps; default: what fits")
        .value("policy", "NAME", "which expert leaves", names_of("cache_policies"))
        .value("split", "RULE", "of the cache over layers: shared, equal, adapmoe, measured")
        .value("batch", "N", "tokens that go through the layers together; default 1")
        .list("set", "PATH=VALUE", "any field: --set prefetch.horizon=1 (list offload)")
        .flag("no-what-if", "leave out the changes that are replayed for comparison");
    declare_seed(table);
    declare_json(table);
    declare_output(table, "the summary");
    declare_quiet(table);
    declare_verbose(table);
  }

  [[nodiscard]] ExitCode run(const ParsedOptions& options) const override {
    if (const auto output = options.text("output"); output && *output != "-") {
      check_writable(*output, options.has("force"));
    }
    json document = scenario_argument(options, "an offload scenario");
    const Location where{options.text_or("SCENARIO", "scenario"), ""};
    apply(document, options);
    ProgressBar bar(options.has("quiet"));
    const Progress progress = bar.callback();
    const OffloadScenario scenario = load_offload(document, where, sample_of(document), progress);
    const OffloadResult result = replay_offload(scenario.stream, scenario.setup, progress);
    const std::optional<OffloadStudy> study =
        options.has("no-what-if") ? std::nullopt
                                  : std::optional(study_offload(scenario, result, progress));
    write_output(
        options,
        options.has("json")
            ? offload_json(scenario, result, study).dump(2) + "\n"
            : offload_text(scenario, result, study, TextStyle::of(stdout), options.has("verbose")));
    return ExitCode::Ok;
  }

 private:
  static void apply(json& document, const ParsedOptions& options) {
    for (const OptionSetting& setting : kSettings) {
      if (const auto value = options.text(setting.option)) {
        apply_setting(document, std::string(setting.path) + "=" + *value);
      }
    }
    if (const auto seed = seed_of(options)) {
      document["seed"] = *seed;
    }
    for (const std::string& setting : options.texts("set")) {
      apply_setting(document, setting);
    }
  }

  // A trace built into the program, if that is what the document names.
  static std::shared_ptr<const RoutingData> sample_of(const json& document) {
    const json trace = document.value("trace", json());
    if (!trace.is_string() || !is_sample_name(trace.get<std::string>())) {
      return nullptr;
    }
    return std::make_shared<const RoutingData>(open_sample(trace.get<std::string>()));
  }
};

const RegisterCommand<OffloadCommand> kOffload{
    "offload", "experts in host memory or on an SSD, cached on the GPU"};

}  // namespace
}  // namespace switchyard
