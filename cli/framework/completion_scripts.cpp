// Names of routers, topologies ... are written into the script, so that pressing Tab starts
// nothing.
#include "cli/framework/completion_scripts.hpp"

#include <fmt/format.h>

namespace switchyard {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : " ") + word;
  }
  return text;
}

std::vector<std::string> names_of(const Option& option) {
  return option.values.names ? option.values.names() : std::vector<std::string>();
}

// Single quotes end, an escaped one, and a new start: the one way that all three shells read alike.
std::string in_quotes(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return result + "'";
}

std::vector<std::string> all_words(const CommandSketch& command) {
  std::vector<std::string> words;
  for (const Option& option : command.options.options()) {
    words.push_back("--" + option.name);
  }
  for (const Option& argument : command.options.arguments()) {
    for (const std::string& name : names_of(argument)) {
      words.push_back(name);
    }
  }
  return words;
}

std::string bash_value_cases(const CommandSketch& command) {
  std::string text;
  for (const Option& option : command.options.options()) {
    if (option.placeholder.empty()) {
      continue;
    }
    std::string pattern = command.name + ":--" + option.name;
    if (option.letter != 0) {
      pattern += fmt::format("|{}:-{}", command.name, option.letter);
    }
    const auto names = names_of(option);
    const std::string source = option.values.is_path ? "-f" : "-W " + in_quotes(joined(names));
    const std::string both = option.values.is_path || names.empty() ? source : source + " -f";
    text += fmt::format(
        "    {}) COMPREPLY=($(compgen {} -- \"$current\")); return ;;\n", pattern, both);
  }
  return text;
}

// zsh's _arguments treats ':' and '[' in a description as its own.
std::string zsh_description(const std::string& sentence) {
  std::string text;
  for (const char c : sentence) {
    if (c == ':' || c == '[' || c == ']' || c == '\\') {
      text += '\\';
    }
    text += c;
  }
  return text;
}

std::string zsh_values(const Option& option) {
  const auto names = names_of(option);
  if (!names.empty()) {
    return "(" + joined(names) + ")";
  }
  return option.values.is_path ? "_files" : " ";
}

std::string zsh_case(const CommandSketch& command) {
  std::string text = fmt::format("    {})\n      _arguments -S", command.name);
  for (const Option& option : command.options.options()) {
    std::string row = (option.repeats ? "*--" : "--") + option.name + "[" +
                      zsh_description(option.sentence) + "]";
    if (!option.placeholder.empty()) {
      row += ":" + option.placeholder + ":" + zsh_values(option);
    }
    text += " \\\n        " + in_quotes(row);
  }
  for (const Option& argument : command.options.arguments()) {
    text += " \\\n        " +
            in_quotes((argument.repeats ? "*:" : ":") + argument.name + ":" + zsh_values(argument));
  }
  return text + " ;;\n";
}

std::string fish_option(const std::string& command, const Option& option) {
  std::string row = fmt::format(
      "complete -c switchyard -n '__fish_seen_subcommand_from {}' -l {}", command, option.name);
  if (option.letter != 0) {
    row += fmt::format(" -s {}", option.letter);
  }
  if (!option.placeholder.empty()) {
    const auto names = names_of(option);
    row += option.values.is_path ? " -rF" : " -x";
    if (!names.empty()) {
      row += " -a " + in_quotes(joined(names));
    }
  }
  return row + " -d " + in_quotes(option.sentence) + "\n";
}

}  // namespace

std::string bash_completion(const std::vector<CommandSketch>& commands) {
  std::vector<std::string> names;
  std::string values;
  std::string words;
  for (const CommandSketch& command : commands) {
    names.push_back(command.name);
    values += bash_value_cases(command);
    words +=
        fmt::format("    {}) words={} ;;\n", command.name, in_quotes(joined(all_words(command))));
  }
  return fmt::format(
      "# bash completion of switchyard; load with: source <(switchyard completion bash)\n"
      "_switchyard() {{\n"
      "  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}\n"
      "  local command=${{COMP_WORDS[1]}} words=\n"
      "  if [[ $COMP_CWORD -eq 1 ]]; then\n"
      "    COMPREPLY=($(compgen -W {} -- \"$current\"))\n"
      "    return\n"
      "  fi\n"
      "  case \"$command:$previous\" in\n{}  esac\n"
      "  case \"$command\" in\n{}  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -f -- \"$current\"))\n"
      "}}\n"
      "complete -o filenames -F _switchyard switchyard\n",
      in_quotes(joined(names) + " --help --version"),
      values,
      words);
}

std::string zsh_completion(const std::vector<CommandSketch>& commands) {
  std::string described;
  std::string cases;
  for (const CommandSketch& command : commands) {
    described += "    " + in_quotes(command.name + ":" + command.summary) + "\n";
    cases += zsh_case(command);
  }
  return fmt::format(
      "#compdef switchyard\n"
      "# zsh completion of switchyard; load with: source <(switchyard completion zsh)\n"
      "_switchyard() {{\n"
      "  local -a commands=(\n{}  )\n"
      "  if (( CURRENT == 2 )); then\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  local command=$words[2]\n"
      "  shift words\n"
      "  (( CURRENT-- ))\n"
      "  case $command in\n{}  esac\n"
      "}}\n"
      "compdef _switchyard switchyard\n",
      described,
      cases);
}

std::string fish_completion(const std::vector<CommandSketch>& commands) {
  std::string text = "# fish completion of switchyard\n";
  for (const CommandSketch& command : commands) {
    text += fmt::format("complete -c switchyard -n __fish_use_subcommand -f -a {} -d {}\n",
                        command.name,
                        in_quotes(command.summary));
    for (const Option& option : command.options.options()) {
      text += fish_option(command.name, option);
    }
    for (const Option& argument : command.options.arguments()) {
      const auto names = names_of(argument);
      if (!names.empty()) {
        text += fmt::format("complete -c switchyard -n '__fish_seen_subcommand_from {}' -a {}\n",
                            command.name,
                            in_quotes(joined(names)));
      }
    }
  }
  return text;
}

}  // namespace switchyard
