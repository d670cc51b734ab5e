// The options of one sub-command as a table: Boost.Program_options does the parsing, this adds what
// it does not know: placeholders, what a value may be (for completion) and "did you mean".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/components/parameters.hpp"

namespace switchyard {

/// What may stand for an option's value: completion offers it, parsing does not enforce it.
struct Values {
  /// Known names, asked for only when a completion script is written.
  std::function<std::vector<std::string>()> names;
  bool is_path = false;

  static Values path() { return {.names = {}, .is_path = true}; }

  static Values among(std::function<std::vector<std::string>()> names) {
    return {.names = std::move(names), .is_path = false};
  }
};

/// One row of the table.
struct Option {
  std::string name;         // "output"
  char letter = 0;          // 'o', or 0
  std::string placeholder;  // "FILE"; empty for a switch
  std::string sentence;     // help text
  bool repeats = false;
  Values values;
};

/// The values given on one command line. Every reader names the option in its errors.
class ParsedOptions {
 public:
  [[nodiscard]] bool has(const std::string& name) const { return values_.contains(name); }

  /// The text given, or nothing. For arguments and options alike.
  [[nodiscard]] std::optional<std::string> text(const std::string& name) const;
  [[nodiscard]] std::string text_or(const std::string& name, const std::string& fallback) const;
  /// Throws InvalidInput when the argument `name` was not given.
  [[nodiscard]] std::string required(const std::string& name, const std::string& hint) const;
  /// All texts of a repeated option, in order.
  [[nodiscard]] std::vector<std::string> texts(const std::string& name) const;
  /// A whole number inside the bounds. Throws InvalidInput.
  [[nodiscard]] std::optional<std::int64_t> integer(const std::string& name,
                                                    Bounds<std::int64_t> bounds) const;

  std::map<std::string, std::vector<std::string>> values_;  // filled by OptionTable::parse
};

class OptionTable {
 public:
  /// Adds a switch, an option with a value, or one that may be given several times.
  OptionTable& flag(const std::string& name, const std::string& sentence, char letter = 0);
  OptionTable& value(const std::string& name,
                     const std::string& placeholder,
                     const std::string& sentence,
                     Values values = {},
                     char letter = 0);
  OptionTable& list(const std::string& name,
                    const std::string& placeholder,
                    const std::string& sentence,
                    Values values = {});
  /// Adds a positional argument; the last one may repeat.
  OptionTable& argument(const std::string& name,
                        const std::string& sentence,
                        Values values = {},
                        bool repeats = false);

  /// Throws InvalidInput for an unknown option (with the nearest one), a missing or surplus value.
  [[nodiscard]] ParsedOptions parse(const std::vector<std::string>& words,
                                    const std::string& command) const;
  /// Options and arguments, two columns, at most 80 wide.
  [[nodiscard]] std::string help() const;

  [[nodiscard]] const std::vector<Option>& options() const { return options_; }

  [[nodiscard]] const std::vector<Option>& arguments() const { return arguments_; }

 private:
  [[nodiscard]] std::vector<std::string> option_names() const;

  std::vector<Option> options_;
  std::vector<Option> arguments_;
};

/// `text` broken at spaces into lines of at most `width`, each but the first after `indent` spaces.
std::string wrapped(const std::string& text, std::size_t width, std::size_t indent);

}  // namespace switchyard
