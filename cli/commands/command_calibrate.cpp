// `calibrate`: measurements in, constants of links and kernels out, with error bars.
#include <algorithm>
#include <filesystem>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/calibration/calibration_run.hpp"
#include "cli/calibration/gemm_calibration.hpp"
#include "cli/calibration/validation.hpp"
#include "cli/framework/catalogue.hpp"
#include "cli/framework/command.hpp"
#include "core/files/atomic_file.hpp"
#include "core/version.hpp"
#include "profiler/measurements/byte_definitions.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

constexpr std::int64_t kMostMeasuredRanks = 1'000'000;

std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (const ModelFamily& family : model_families()) {
    names.emplace_back(family.name);
  }
  return names;
}

std::vector<std::string> definition_names() {
  std::vector<std::string> names;
  for (const ByteDefinition& definition : byte_definitions()) {
    names.emplace_back(definition.name);
  }
  return names;
}

std::shared_ptr<const Network> make_network(const std::string& name) {
  Parameters none(nlohmann::json::object(), {});
  return Registry<Network>::instance().create(name, "network", none, {"--network", ""});
}

CalibrationRequest request_of(const ParsedOptions& options) {
  CalibrationRequest request;
  for (const std::string& file : options.texts("MEASUREMENTS")) {
    request.files.emplace_back(file);
  }
  if (request.files.empty()) {
    throw InvalidInput("no measurements are named",
                       {"MEASUREMENTS", ""},
                       "a CSV table, or the text output of nccl-tests");
  }
  const auto topology = options.text("topology");
  if (!topology) {
    throw InvalidInput("no machine is named",
                       {"--topology", ""},
                       "the one that was measured: switchyard list topologies");
  }
  request.fabric = std::make_shared<const Fabric>(load_topology(*topology));
  request.network = make_network(options.text_or("network", "fluid"));
  request.model = options.text_or("model", "");
  request.selection = options.texts("select");
  request.hold_out = options.text_or("hold-out", "");
  request.fixed = options.texts("fix");
  request.seed = seed_of(options).value_or(1);
  request.defaults = {
      .experts = options.integer("experts", {1, 1 << 20}).value_or(0),
      .experts_per_rank = options.integer("experts-per-rank", {1, 1 << 20}).value_or(0),
      .ranks = options.integer("ranks", {2, kMostMeasuredRanks}).value_or(0),
      .nodes = options.integer("nodes", {1, kMostMeasuredRanks}).value_or(0),
      .importer_settings = options.texts("set"),
      .bytes_definition = options.text_or("bytes-definition", "")};
  if (!request.defaults.bytes_definition.empty()) {
    static_cast<void>(byte_definition(request.defaults.bytes_definition));
  }
  return request;
}

/// The page, then its figures: all texts exist before the first file is written.
ExitCode write_validation(const ParsedOptions& options) {
  const std::filesystem::path page_path = options.text_or("output", "");
  if (page_path.empty()) {
    throw InvalidInput("no page is named", {"--validate", ""}, "-o docs/validation.md");
  }
  const auto data = options.text("data");
  if (!data) {
    throw InvalidInput("no folder of measurements is named", {"--data", ""});
  }
  const std::filesystem::path figures =
      options.text_or("figures", (page_path.parent_path() / "figures").string());
  check_writable(page_path, options.has("force"));
  const std::string recipe = *options.text("validate");
  const auto presets = options.text("presets");
  const std::string command =
      fmt::format("switchyard calibrate --validate {} --data DATA -o {}{} --force",
                  recipe,
                  page_path.string(),
                  presets ? " \\\n    --presets " + *presets : "");
  const ValidationPage page =
      validate(read_validation_recipe(recipe, *data),
               command,
               figures.lexically_relative(page_path.parent_path()).generic_string());
  std::error_code ignored;
  std::filesystem::create_directories(figures, ignored);
  for (const auto& [name, svg] : page.figures) {
    write_file(figures / name, svg, options.has("force"));
  }
  write_file(page_path, page.markdown, options.has("force"));
  if (presets) {
    std::filesystem::create_directories(*presets, ignored);
    for (const auto& [name, text] : page.calibrations) {
      write_file(std::filesystem::path(*presets) / name, text, options.has("force"));
    }
  }
  print_text(fmt::format("written: {} and {} figures in {}\n",
                         page_path.string(),
                         page.figures.size(),
                         figures.string()));
  return ExitCode::Ok;
}

/// The document to -o or, with --json, to standard output; else the summary.
ExitCode hand_over(const ParsedOptions& options,
                   const std::string& document,
                   const std::string& summary) {
  const auto output = options.text("output");
  if (output) {
    write_file(*output, document, options.has("force"));
  }
  if (options.has("json") && !output) {
    print_text(document);
  } else if (!output || *output != "-") {
    print_text(summary + (output ? fmt::format("\nwritten: {}\n", *output) : ""));
  }
  return ExitCode::Ok;
}

/// Constants of expert GEMMs instead of links. Options that say how an exchange was measured mean
/// nothing here.
ExitCode calibrate_gemm_tables(const ParsedOptions& options) {
  for (const char* const option : {"topology",
                                   "model",
                                   "select",
                                   "hold-out",
                                   "fix",
                                   "bytes-definition",
                                   "experts",
                                   "experts-per-rank",
                                   "ranks",
                                   "nodes",
                                   "set",
                                   "network"}) {
    if (options.has(option)) {
      throw InvalidInput("means nothing for measured expert GEMMs",
                         {std::string("--") + option, ""},
                         "leave it out: device and shapes are in the table");
    }
  }
  std::vector<GemmMeasurement> rows;
  for (const std::string& file : options.texts("MEASUREMENTS")) {
    std::ranges::copy(read_gemm_table(file), std::back_inserter(rows));
  }
  const std::vector<GemmCalibration> calibrations = calibrate_gemms(rows);
  std::string summary;
  for (const GemmCalibration& calibration : calibrations) {
    summary += (summary.empty() ? "" : "\n") + gemm_summary(calibration);
  }
  return hand_over(options, gemm_document(calibrations).dump(2) + "\n", summary);
}

class CalibrateCommand final : public Command {
 public:
  [[nodiscard]] std::string usage() const override { return "MEASUREMENTS... [OPTIONS]"; }

  [[nodiscard]] std::vector<std::string> examples() const override {
    return {"switchyard calibrate alltoall.txt --topology dgx_h100_8 --hold-out 20% -o h100.json",
            "switchyard simulate --trace my.trace --topology dgx_h100_8 --calibration h100.json",
            "switchyard calibrate docs/validation/expert_gemm.csv --json"};
  }

  void declare(OptionTable& table) const override {
    table.argument("MEASUREMENTS",
                   "CSV tables (docs/file_formats.md), nccl-tests output or other profiles",
                   Values::path(),
                   /*repeats=*/true);
    table.value("topology", "NAME|FILE", "the machine that was measured", names_of("topologies"))
        .value("model",
               "NAME",
               "constants to fit: collective, low_latency, normal, nvlink; default: by the rows",
               Values::among(family_names))
        .list("select", "COLUMN=VALUE", "only rows with that value; all must hold")
        .value("hold-out",
               "RULE",
               "rows to predict, not to fit: \"20%\", or COLUMN=VALUE for all that match")
        .list("fix", "NAME=VALUE", "give a constant instead of fitting it: --fix launch=8us")
        .value("bytes-definition",
               "NAME",
               "what the table's GB/s divides; default: by the operation",
               Values::among(definition_names))
        .value("experts", "N", "experts of rows that do not say")
        .value("experts-per-rank", "N", "the same for each rank")
        .value("ranks", "N", "ranks of nccl-tests output without its list of devices")
        .value("nodes", "N", "the same for nodes")
        .list("set", "NAME=VALUE", "parameter of a profile's importer: --set operation=alltoall")
        .value("network",
               "NAME",
               "prices the rows under the fitted constants; default: fluid",
               names_of("networks"))
        .value("validate",
               "RECIPE",
               "instead: predict every data set of the recipe, write a page of the errors to -o",
               Values::path())
        .value("data", "FOLDER", "with --validate: where the recipe's tables are", Values::path())
        .value("figures",
               "FOLDER",
               "with --validate: where its SVG figures go; default: figures beside the page",
               Values::path())
        .value("presets",
               "FOLDER",
               "with --validate: write the calibrations that data sets are part of there",
               Values::path());
    declare_seed(table);
    declare_json(table);
    declare_output(table, "write the calibration file");
  }

  [[nodiscard]] ExitCode run(const ParsedOptions& options) const override {
    if (options.has("validate")) {
      return write_validation(options);
    }
    const auto output = options.text("output");
    if (output && *output != "-") {
      check_writable(*output, options.has("force"));
    }
    const std::vector<std::string> files = options.texts("MEASUREMENTS");
    if (!files.empty() && is_gemm_table(files.front())) {
      return calibrate_gemm_tables(options);
    }
    const std::vector<CalibratedRows> results = calibrate(request_of(options));
    Calibration calibration{.program_version = kProgramVersion, .entries = {}};
    std::string summary;
    for (const CalibratedRows& result : results) {
      calibration.entries.push_back(result.entry);
      summary += (summary.empty() ? "" : "\n") + calibration_summary(result);
    }
    return hand_over(options, calibration_text(calibration), summary);
  }
};

const RegisterCommand<CalibrateCommand> kCalibrate{
    "calibrate", "fit constants of links and kernels to measurements"};

}  // namespace
}  // namespace switchyard
