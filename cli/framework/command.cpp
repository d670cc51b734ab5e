// The program without its process: finds the sub-command, prints help, shares common options.
#include "cli/framework/command.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "core/files/atomic_file.hpp"
#include "core/version.hpp"

namespace switchyard {

template class Registry<Command>;

namespace {

// Shown first, in the order in which a newcomer needs them; whatever is not named here follows.
constexpr std::array<std::string_view, 10> kOrder{"demo",
                                                  "simulate",
                                                  "route",
                                                  "import",
                                                  "profile",
                                                  "inspect",
                                                  "list",
                                                  "doctor",
                                                  "schema",
                                                  "completion"};

std::vector<std::string> ordered_names() {
  std::vector<std::string> names = Registry<Command>::instance().names();
  const auto position = [](const std::string& name) {
    return std::find(kOrder.begin(), kOrder.end(), name) - kOrder.begin();
  };
  std::stable_sort(names.begin(), names.end(), [&](const auto& left, const auto& right) {
    return position(left) < position(right);
  });
  return names;
}

std::string program_help() {
  std::string text =
      "switchyard: what Mixture-of-Experts routing costs on a cluster\n\n"
      "usage: switchyard COMMAND [OPTIONS]\n\n";
  for (const std::string& name : ordered_names()) {
    text += fmt::format(
        "  {:<12}{}\n", name, Registry<Command>::instance().at(name, "command").summary);
  }
  return text +
         "\nStart with: switchyard demo\n"
         "Every command explains itself: switchyard COMMAND --help\n";
}

std::string program_details() {
  return "\nexit codes: 0 fine, 1 a --fail-if limit broke, 2 bad input or usage,\n"
         "  3 this machine or this trace cannot do it,\n"
         "  70 a bug, 130 interrupted\n";
}

ExitCode print(const std::string& text) {
  print_text(text);
  return ExitCode::Ok;
}

}  // namespace

std::unique_ptr<Command> make_command(const std::string& name) {
  Parameters none = Parameters::describing();
  return Registry<Command>::instance().create(name, "command", none);
}

OptionTable command_options(const Command& command) {
  OptionTable table;
  command.declare(table);
  table.flag("help", "print this", 'h');
  return table;
}

std::string command_help(const std::string& name, const Command& command) {
  std::string text = fmt::format("{}\n\nusage: switchyard {} {}\n\n{}\nexamples:\n",
                                 Registry<Command>::instance().at(name, "command").summary,
                                 name,
                                 command.usage(),
                                 command_options(command).help());
  for (const std::string& example : command.examples()) {
    text += "  " + example + "\n";
  }
  return text;
}

void declare_json(OptionTable& table) {
  table.flag("json", "print one JSON document instead of text");
}

void declare_output(OptionTable& table, const std::string& what) {
  table.value("output", "FILE", what + "; - is standard output", Values::path(), 'o');
  table.flag("force", "replace files that exist already");
}

void declare_seed(OptionTable& table) {
  table.value("seed", "N", "seed of every random number; the same seed gives the same bytes");
}

std::optional<std::uint64_t> seed_of(const ParsedOptions& options) {
  const auto seed = options.integer("seed", {0, std::int64_t{1} << 53U});
  return seed ? std::optional(static_cast<std::uint64_t>(*seed)) : std::nullopt;
}

void declare_quiet(OptionTable& table) {
  table.flag("quiet", "no progress bar, no notes, no suggestions", 'q');
}

void declare_verbose(OptionTable& table) {
  table.flag("verbose", "more detail", 'v');
}

void print_text(const std::string& text) {
  write_file("-", text, /*overwrite=*/false);
}

void write_output(const ParsedOptions& options, const std::string& text) {
  write_file(options.text_or("output", "-"), text, options.has("force"));
}

ExitCode run_program(const std::vector<std::string>& words) {
  if (words.empty()) {
    return print(program_help());
  }
  const std::string& first = words.front();
  if (first == "--help" || first == "-h") {
    return print(program_help() + program_details());
  }
  if (first == "--version") {
    return print(fmt::format("switchyard {}\n", kProgramVersion));
  }
  if (first.starts_with("-")) {
    throw InvalidInput("no such option", {first, ""}, "the command comes first: switchyard --help");
  }
  const auto command = make_command(first);
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  // What follows -- is for somebody else.
  const auto own_end = std::find(rest.begin(), rest.end(), "--");
  if (std::find_if(rest.begin(), own_end, [](const std::string& word) {
        return word == "--help" || word == "-h";
      }) != own_end) {
    return print(command_help(first, *command));
  }
  return command->run(command_options(*command).parse(rest, first));
}

}  // namespace switchyard
