// Values stay texts here: each is read, with its own error message, where it is used.
#include "cli/framework/options.hpp"

#include <charconv>

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include "core/components/suggestion.hpp"

namespace switchyard {
namespace {

namespace po = boost::program_options;

constexpr std::size_t kHelpWidth = 80;
constexpr std::size_t kNameColumn = 30;

std::string spelling(const Option& option) {
  std::string text = option.letter != 0 ? fmt::format("-{}, ", option.letter) : "    ";
  text += "--" + option.name;
  return option.placeholder.empty() ? text : text + " " + option.placeholder;
}

std::string help_row(const std::string& left, const std::string& sentence) {
  const std::size_t room = kHelpWidth - kNameColumn - 2;
  const std::string text = wrapped(sentence, room, kNameColumn + 2);
  if (left.size() >= kNameColumn) {
    return fmt::format("  {}\n{:{}}{}\n", left, "", kNameColumn + 2, text);
  }
  return fmt::format("  {:<{}}{}\n", left, kNameColumn, text);
}

// Boost's table of the same options; every value is a list of texts, so that a repetition of a
// single-valued option is noticed by us and named.
po::options_description boost_table(const std::vector<Option>& options,
                                    const std::vector<Option>& arguments) {
  po::options_description table;
  for (const Option& option : options) {
    const std::string name =
        option.letter != 0 ? option.name + "," + std::string(1, option.letter) : option.name;
    if (option.placeholder.empty()) {
      table.add_options()(name.c_str(), "");
    } else {
      table.add_options()(name.c_str(), po::value<std::vector<std::string>>(), "");
    }
  }
  for (const Option& argument : arguments) {
    table.add_options()(argument.name.c_str(), po::value<std::vector<std::string>>(), "");
  }
  return table;
}

po::positional_options_description boost_positions(const std::vector<Option>& arguments) {
  po::positional_options_description positions;
  for (const Option& argument : arguments) {
    positions.add(argument.name.c_str(), argument.repeats ? -1 : 1);
  }
  return positions;
}

void refuse_repetitions(const ParsedOptions& parsed, const std::vector<Option>& table) {
  for (const Option& option : table) {
    if (!option.repeats && parsed.texts(option.name).size() > 1) {
      throw InvalidInput("given twice", {"--" + option.name, ""}, "keep one of them");
    }
  }
}

}  // namespace

std::optional<std::string> ParsedOptions::text(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end() || found->second.empty()) {
    return std::nullopt;
  }
  return found->second.front();
}

std::string ParsedOptions::text_or(const std::string& name, const std::string& fallback) const {
  return text(name).value_or(fallback);
}

std::string ParsedOptions::required(const std::string& name, const std::string& hint) const {
  const auto given = text(name);
  if (!given) {
    throw InvalidInput("missing " + name, {}, hint);
  }
  return *given;
}

std::vector<std::string> ParsedOptions::texts(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

std::optional<std::int64_t> ParsedOptions::integer(const std::string& name,
                                                   Bounds<std::int64_t> bounds) const {
  const auto given = text(name);
  if (!given) {
    return std::nullopt;
  }
  const Location where{"--" + name, ""};
  std::int64_t number = 0;
  const char* end = given->data() + given->size();
  const auto [stopped, problem] = std::from_chars(given->data(), end, number);
  if (problem != std::errc() || stopped != end) {
    throw InvalidInput(fmt::format("\"{}\" is not a whole number", *given), where);
  }
  if (number < bounds.lowest || number > bounds.highest) {
    throw InvalidInput(fmt::format("{} is out of range", number),
                       where,
                       fmt::format("allowed: {} to {}", bounds.lowest, bounds.highest));
  }
  return number;
}

OptionTable& OptionTable::flag(const std::string& name, const std::string& sentence, char letter) {
  options_.push_back({name, letter, "", sentence, false, {}});
  return *this;
}

OptionTable& OptionTable::value(const std::string& name,
                                const std::string& placeholder,
                                const std::string& sentence,
                                Values values,
                                char letter) {
  options_.push_back({name, letter, placeholder, sentence, false, std::move(values)});
  return *this;
}

OptionTable& OptionTable::list(const std::string& name,
                               const std::string& placeholder,
                               const std::string& sentence,
                               Values values) {
  options_.push_back({name, 0, placeholder, sentence, true, std::move(values)});
  return *this;
}

OptionTable& OptionTable::argument(const std::string& name,
                                   const std::string& sentence,
                                   Values values,
                                   bool repeats) {
  arguments_.push_back({name, 0, name, sentence, repeats, std::move(values)});
  return *this;
}

std::vector<std::string> OptionTable::option_names() const {
  std::vector<std::string> names;
  for (const Option& option : options_) {
    names.push_back("--" + option.name);
  }
  return names;
}

ParsedOptions OptionTable::parse(const std::vector<std::string>& words,
                                 const std::string& command) const {
  namespace style = po::command_line_style;
  const po::options_description table = boost_table(options_, arguments_);
  ParsedOptions parsed;
  try {
    const auto result = po::command_line_parser(words)
                            .options(table)
                            .positional(boost_positions(arguments_))
                            .style(style::unix_style & ~style::allow_guessing)
                            .run();
    for (const auto& option : result.options) {
      auto& values = parsed.values_[option.string_key];
      values.insert(values.end(), option.value.begin(), option.value.end());
    }
  } catch (const po::unknown_option& error) {
    const std::string name = error.get_option_name();
    throw InvalidInput(
        "no such option",
        {name, ""},
        suggestion_hint(name, option_names()) + "\nall options: switchyard " + command + " --help");
  } catch (const po::too_many_positional_options_error&) {
    throw InvalidInput("too many arguments", {}, "see: switchyard " + command + " --help");
  } catch (const po::invalid_syntax& error) {
    const bool is_switch = error.kind() == po::invalid_syntax::extra_parameter;
    throw InvalidInput(is_switch ? "takes no value" : "needs a value",
                       {error.get_option_name(), ""},
                       "see: switchyard " + command + " --help");
  } catch (const po::error& error) {
    throw InvalidInput(error.what(), {}, "see: switchyard " + command + " --help");
  }
  refuse_repetitions(parsed, options_);
  refuse_repetitions(parsed, arguments_);
  return parsed;
}

std::string OptionTable::help() const {
  std::string text;
  for (const Option& argument : arguments_) {
    text += help_row(argument.name + (argument.repeats ? "..." : ""), argument.sentence);
  }
  text += arguments_.empty() ? "" : "\n";
  for (const Option& option : options_) {
    text += help_row(spelling(option), option.sentence);
  }
  return text;
}

std::string wrapped(const std::string& text, std::size_t width, std::size_t indent) {
  std::string result;
  std::size_t used = 0;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find(' ', start), text.size());
    const std::string word = text.substr(start, end - start);
    if (used > 0 && used + 1 + word.size() > width) {
      result += "\n" + std::string(indent, ' ');
      used = 0;
    }
    result += (used > 0 ? " " : "") + word;
    used += word.size() + (used > 0 ? 1 : 0);
    start = end + 1;
  }
  return result;
}

}  // namespace switchyard
