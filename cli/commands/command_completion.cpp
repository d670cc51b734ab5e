// `completion`: a shell script made from the same option tables as the help.
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "cli/framework/command.hpp"
#include "cli/framework/completion_scripts.hpp"
#include "core/components/suggestion.hpp"

namespace switchyard {
namespace {

std::vector<std::string> shells() {
  return {"bash", "zsh", "fish"};
}

std::vector<CommandSketch> sketches() {
  std::vector<CommandSketch> all;
  const auto& registry = Registry<Command>::instance();
  for (const std::string& name : registry.names()) {
    all.push_back(
        {name, registry.at(name, "command").summary, command_options(*make_command(name))});
  }
  return all;
}

class CompletionCommand final : public Command {
 public:
  [[nodiscard]] std::string usage() const override { return "SHELL [-o FILE]"; }

  [[nodiscard]] std::vector<std::string> examples() const override {
    return {"source <(switchyard completion bash)",
            "switchyard completion fish -o ~/.config/fish/completions/switchyard.fish"};
  }

  void declare(OptionTable& table) const override {
    table.argument("SHELL", "bash, zsh or fish", Values::among(shells));
    declare_output(table, "write to FILE");
  }

  [[nodiscard]] ExitCode run(const ParsedOptions& options) const override {
    const std::string shell = options.required("SHELL", "one of: bash, zsh, fish");
    if (shell == "bash") {
      write_output(options, bash_completion(sketches()));
    } else if (shell == "zsh") {
      write_output(options, zsh_completion(sketches()));
    } else if (shell == "fish") {
      write_output(options, fish_completion(sketches()));
    } else {
      throw InvalidInput(
          "no completion for the shell \"" + shell + "\"", {}, suggestion_hint(shell, shells()));
    }
    return ExitCode::Ok;
  }
};

const RegisterCommand<CompletionCommand> kCompletion{"completion",
                                                     "print a completion script for a shell"};

}  // namespace
}  // namespace switchyard
