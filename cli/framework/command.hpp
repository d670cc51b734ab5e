// A sub-command. One command_<name>.cpp each, which registers itself; help, completion and
// "did you mean" all come from its option table.
//
// | hook       | when                       | answers                                      |
// |------------|----------------------------|----------------------------------------------|
// | usage()    | --help                     | the words after the command's name           |
// | examples() | --help                     | two command lines that work as they stand    |
// | declare()  | --help, parsing,completion | fills the option table                       |
// | run()      | once                       | the exit code; throws Error                  |
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/framework/options.hpp"
#include "core/components/registry.hpp"
#include "core/run_control.hpp"

namespace switchyard {

class Command {
 public:
  Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  Command(Command&&) = delete;
  Command& operator=(Command&&) = delete;
  virtual ~Command() = default;

  [[nodiscard]] virtual std::string usage() const = 0;
  [[nodiscard]] virtual std::vector<std::string> examples() const = 0;
  virtual void declare(OptionTable& table) const = 0;
  [[nodiscard]] virtual ExitCode run(const ParsedOptions& options) const = 0;
};

extern template class Registry<Command>;

/// Registers `Implementation` under `name`; `summary` is its line in `switchyard --help`.
template <class Implementation>
struct RegisterCommand {
  RegisterCommand(const std::string& name, const std::string& summary) {
    Registry<Command>::instance().add(
        name, {summary, [](Parameters& /*none*/) { return std::make_unique<Implementation>(); }});
  }
};

/// The sub-command called `name`; throws InvalidInput with the nearest name.
std::unique_ptr<Command> make_command(const std::string& name);
/// Its option table, with --help added.
OptionTable command_options(const Command& command);
std::string command_help(const std::string& name, const Command& command);

/// Options that several commands share, so that they read and mean the same everywhere.
void declare_json(OptionTable& table);
void declare_output(OptionTable& table, const std::string& what);
void declare_seed(OptionTable& table);
/// --seed, at most 2^53, so that every JSON reader keeps it.
std::optional<std::uint64_t> seed_of(const ParsedOptions& options);
void declare_quiet(OptionTable& table);
void declare_verbose(OptionTable& table);

/// Writes to standard output; throws InvalidInput if that fails (a full disk behind a redirection).
void print_text(const std::string& text);
/// Writes `text` to -o FILE (never over an existing file without --force) or to standard output.
void write_output(const ParsedOptions& options, const std::string& text);

/// Parses and runs a whole command line (without the program's name).
ExitCode run_program(const std::vector<std::string>& words);

}  // namespace switchyard
