// `compare`: two runs side by side, simulated or measured.
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/file_kind.hpp"
#include "cli/framework/command.hpp"
#include "core/files/atomic_file.hpp"
#include "core/files/json_file.hpp"
#include "report/comparison/comparison.hpp"

namespace switchyard {
namespace {

ComparedRun read_run(const std::string& name, const PhaseRules& rules, bool is_quiet) {
  const std::string label = std::filesystem::path(name).filename().string();
  const FileGuess guess = guess_file(name, std::nullopt);
  switch (guess.kind) {
    case FileKind::Timeline:
    case FileKind::ForeignTimeline: {
      EventTimeline timeline;
      read_timeline_file(name, guess, is_quiet, timeline);
      return measured_run(timeline, rules, label);
    }
    case FileKind::ResultFile:
      return simulated_run(std::filesystem::path(name));
    case FileKind::ResultDocument:
      return simulated_run(read_json_file(name), label);
    default:
      throw InvalidInput("is neither a result nor a profile",
                         {name, ""},
                         "simulate with --save FILE, or give a profile "
                         "(switchyard list profiles)");
  }
}

class CompareCommand final : public Command {
 public:
  [[nodiscard]] std::string usage() const override { return "A B [OPTIONS]"; }

  [[nodiscard]] std::vector<std::string> examples() const override {
    return {"switchyard compare run.sqlite kineto_traces/ --timeline both.json",
            "switchyard compare before.timeline after.timeline --fail-if \"combine.ratio > 1.1\""};
  }

  void declare(OptionTable& table) const override {
    table
        .argument("A", "result file, simulate's JSON, measured timeline or profile", Values::path())
        .argument("B", "the same; ratios are B over A", Values::path())
        .value("rules",
               "FILE",
               "rules that recognise MoE phases (switchyard schema phase_rules)",
               Values::path())
        .value("timeline",
               "FILE",
               "write both as one timeline for ui.perfetto.dev (.json)",
               Values::path())
        .list("fail-if", "LIMIT", "exit with 1 if it holds: --fail-if \"dispatch.ratio > 1.2\"");
    declare_json(table);
    declare_output(table, "write the table or JSON to FILE");
    declare_quiet(table);
    declare_verbose(table);
  }

  [[nodiscard]] ExitCode run(const ParsedOptions& options) const override {
    const std::string left = options.required("A", "which two runs?");
    const std::string right = options.required("B", "which run to compare it with?");
    std::vector<Limit> limits;
    for (const std::string& limit : options.texts("fail-if")) {
      limits.push_back(parse_limit(limit, comparison_keys()));
    }
    const auto timeline = options.text("timeline");
    if (timeline) {
      check_writable(*timeline, options.has("force"));
    }
    const auto file = options.text("rules");
    const PhaseRules rules = file ? PhaseRules::load(*file) : PhaseRules::defaults();
    const ComparedRun a = read_run(left, rules, options.has("quiet"));
    const ComparedRun b = read_run(right, rules, options.has("quiet"));
    if (timeline) {
      const std::int64_t left_out = write_overlay(a, b, *timeline, options.has("force"));
      if (left_out > 0) {
        fmt::print(
            stderr,
            "{}: {} events are left out: more than sixteen of their phase and rank overlap\n",
            *timeline,
            left_out);
      }
    }
    write_output(options,
                 options.has("json") ? comparison_to_json(a, b).dump(2) + "\n"
                                     : comparison_text(a, b, options.has("verbose")));
    std::fflush(stdout);  // so that what follows on standard error comes after it
    bool is_broken = false;
    for (const Limit& limit : limits) {
      const std::string sentence = broken_limit(limit, a, b);
      if (!sentence.empty()) {
        fmt::print(stderr, "{}\n", sentence);
        is_broken = true;
      }
    }
    return is_broken ? ExitCode::LimitBroken : ExitCode::Ok;
  }
};

const RegisterCommand<CompareCommand> kCompare{"compare",
                                               "simulated and measured runs side by side"};

}  // namespace
}  // namespace switchyard
