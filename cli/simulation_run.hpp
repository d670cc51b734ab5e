// One simulation with all its outputs: what `simulate` and `demo` have in common.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "cli/framework/options.hpp"
#include "report/limit.hpp"
#include "sim/replay/scenario.hpp"
#include "sim/what_if.hpp"

namespace switchyard {

/// --json, --csv, --timeline, --save, --placement-out, --fail-if, -o, --force, -q, -v.
void declare_outputs(OptionTable& table);

class SimulationRun {
 public:
  /// Reads the output options and checks, before anything is computed, that every output could be
  /// written and every limit makes sense. Throws InvalidInput.
  explicit SimulationRun(const ParsedOptions& options);

  /// Simulates and writes everything; prints `closing` below a text summary unless quiet. After
  /// Ctrl-C what is finished is written, marked partial.
  [[nodiscard]] ExitCode run(const Scenario& scenario, const std::string& closing = {}) const;

 private:
  [[nodiscard]] SimulationResult simulate_with_timeline(const Scenario& scenario) const;
  /// Answers which placement of several it is, in brackets.
  [[nodiscard]] std::string write_placement(const Scenario& scenario) const;
  [[nodiscard]] std::string document_text(const SimulationResult& result,
                                          const std::optional<WhatIfStudy>& study) const;
  [[nodiscard]] std::optional<WhatIfStudy> explain(const Scenario& scenario,
                                                   const SimulationResult& result) const;

  std::string output_;
  std::optional<std::filesystem::path> csv_;
  std::optional<std::filesystem::path> timeline_;
  std::optional<std::filesystem::path> store_;
  std::optional<std::filesystem::path> placement_;
  std::vector<Limit> limits_;
  bool is_json_;
  bool is_quiet_;
  bool is_verbose_;
  bool overwrite_;
  bool explains_;
  std::size_t explain_layers_;
};

}  // namespace switchyard
