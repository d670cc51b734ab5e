// `profile`: what a program does on its GPUs, as one measured timeline a rank.
#include <fmt/format.h>

#include "cli/framework/command.hpp"
#include "cli/profile_run.hpp"

namespace switchyard {
namespace {

std::string process_title(const ProfiledProcess& process) {
  const std::string name = process.command.empty() ? "a process" : process.command;
  const std::string rank = process.rank < 0 ? "" : fmt::format(" rank {}", process.rank);
  return fmt::format("{}{} (process {} on {})", name, rank, process.process_id, process.host);
}

std::string line_of(const ProfiledProcess& process) {
  if (!process.problem.empty()) {
    return fmt::format("{}: {}", process_title(process), process.problem);
  }
  if (process.timeline.empty()) {
    return fmt::format("{}: ended before it recorded anything", process_title(process));
  }
  std::string line = fmt::format("{}: {} kernels, {} events, {}",
                                 process.timeline.string(),
                                 process.kernels,
                                 process.events,
                                 process_title(process));
  if (process.lost > 0) {
    line += fmt::format("\n  {} records lost: see its notes (switchyard inspect)", process.lost);
  }
  if (!process.ended_by_itself) {
    line += "\n  it was killed or left by _exit: its last second may be missing";
  }
  return line;
}

// To standard error: standard output is the program's.
void tell(const ProfileResult& result) {
  if (result.processes.empty()) {
    fmt::print(
        stderr,
        "switchyard profile: the program never started CUDA, so there is nothing to write\n");
  }
  for (const ProfiledProcess& process : result.processes) {
    if (process.problem.empty() || result.exit_code != 0) {
      fmt::print(stderr, "switchyard profile: {}\n", line_of(process));
    }
  }
}

class ProfileCommand final : public Command {
 public:
  [[nodiscard]] std::string usage() const override { return "[OPTIONS] -- PROGRAM [ARGUMENTS]"; }

  [[nodiscard]] std::vector<std::string> examples() const override {
    return {"switchyard profile -o measured -- python serve.py --model m",
            "mpirun -np 8 switchyard profile -o measured -- ./app"};
  }

  void declare(OptionTable& table) const override {
    table
        .value("output",
               "FOLDER",
               "for one timeline a rank: rank0.sqlite, ... (default: profile)",
               Values::path(),
               'o')
        .flag("force", "replace timelines that exist already")
        .value("graphs",
               "node|whole",
               "CUDA graphs kernel by kernel (default), or each as one event: cheaper",
               Values::among([] {
                 return std::vector<std::string>{"node", "whole"};
               }))
        .flag("remote", "the GPUs are on other machines: do not look for them here")
        .argument("program", "what to run, after --, with its arguments", Values::path(), true);
    declare_quiet(table);
  }

  [[nodiscard]] ExitCode run(const ParsedOptions& options) const override {
    ProfileRequest request;
    request.words = options.texts("program");
    if (request.words.empty()) {
      throw InvalidInput("no program to run", {}, "switchyard profile -- ./app its arguments");
    }
    const std::string graphs = options.text_or("graphs", "node");
    if (graphs != "node" && graphs != "whole") {
      throw InvalidInput("\"" + graphs + "\" is not known", {"--graphs", ""}, "node or whole");
    }
    request.folder = options.text_or("output", "profile");
    request.overwrite = options.has("force");
    request.whole_graphs = graphs == "whole";
    request.is_remote = options.has("remote");
    require_profiling(request.is_remote,
                      "if the program starts others on machines with GPUs: --remote");
    const ProfileResult result = profile_program(request);
    if (!options.has("quiet")) {
      tell(result);
    }
    return exit_code_of(result);
  }

 private:
  // The program's own code comes first; a measurement that failed is an error of ours where the
  // program was content.
  static ExitCode exit_code_of(const ProfileResult& result) {
    if (result.exit_code != 0) {
      return static_cast<ExitCode>(result.exit_code);
    }
    for (const ProfiledProcess& process : result.processes) {
      if (!process.problem.empty()) {
        throw MissingCapability(process.problem, {}, process.problem_hint);
      }
    }
    return ExitCode::Ok;
  }
};

const RegisterCommand<ProfileCommand> kProfile{"profile", "record what a program does on its GPUs"};

}  // namespace
}  // namespace switchyard
