// Reading and matching of bracket patterns. Numbers are written without leading zeros, so that a
// name belongs to a pattern in one way only.
#include "topologies/name_pattern.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace switchyard {
namespace {

constexpr std::int64_t kLargestNumber = 100'000'000;

// The number at the front of `text`, as long as it goes; removes it. Nothing if there is none or it
// has leading zeros.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (problem != std::errc{} || number < 0 || (length > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  text.remove_prefix(length);
  return number;
}

bool take_literal(std::string_view& text, const std::string& literal) {
  if (!text.starts_with(literal)) {
    return false;
  }
  text.remove_prefix(literal.size());
  return true;
}

}  // namespace

NamePattern::NamePattern(std::string_view text, const Location& where)
    : text_(text), where_(where) {
  std::string_view rest = text;
  while (true) {
    const std::size_t open = rest.find_first_of("[]");
    literals_.emplace_back(rest.substr(0, open));
    if (open == std::string_view::npos) {
      break;
    }
    const std::size_t close = rest.find_first_of("[]", open + 1);
    if (rest[open] != '[' || close == std::string_view::npos || rest[close] != ']') {
      throw InvalidInput(fmt::format("the brackets of \"{}\" do not match", text), where);
    }
    brackets_.push_back(read_bracket(rest.substr(open + 1, close - open - 1)));
    rest.remove_prefix(close + 1);
  }
}

std::int64_t NamePattern::read_number(std::string_view digits) const {
  std::string_view rest = digits;
  const std::optional<std::int64_t> number = take_number(rest);
  if (!number || !rest.empty() || *number > kLargestNumber) {
    throw InvalidInput(
        fmt::format("\"{}\" in the brackets of \"{}\" is not a number", digits, text_),
        where_,
        "brackets hold a number, \"0..7\", \"0,2,5\", \"*\" or \"$1\"");
  }
  return *number;
}

NamePattern::Bracket NamePattern::read_bracket(std::string_view content) const {
  if (content == "*") {
    return {.is_any = true, .reference = 0, .numbers = {}};
  }
  if (content.starts_with('$')) {
    const std::int64_t reference = read_number(content.substr(1));
    if (reference < 1) {
      throw InvalidInput(fmt::format("\"$0\" in \"{}\": references count from $1", text_), where_);
    }
    return {.is_any = false, .reference = static_cast<std::size_t>(reference), .numbers = {}};
  }
  Bracket bracket;
  for (std::size_t begin = 0; begin <= content.size();) {
    const std::size_t end = std::min(content.find(',', begin), content.size());
    const std::string_view item = content.substr(begin, end - begin);
    const std::size_t dots = item.find("..");
    const std::int64_t low = read_number(item.substr(0, dots));
    const std::int64_t high =
        dots == std::string_view::npos ? low : read_number(item.substr(dots + 2));
    if (high < low || high - low >= static_cast<std::int64_t>(kMostNames)) {
      throw InvalidInput(fmt::format("\"{}\" in \"{}\" is no possible range", item, text_), where_);
    }
    for (std::int64_t number = low; number <= high; ++number) {
      bracket.numbers.push_back(number);
    }
    begin = end + 1;
  }
  return bracket;
}

bool NamePattern::is_open() const {
  return std::any_of(
      brackets_.begin(), brackets_.end(), [](const Bracket& bracket) { return bracket.is_any; });
}

std::vector<NamePattern::Match> NamePattern::names() const {
  std::vector<Match> found{{literals_.front(), {}}};
  for (std::size_t i = 0; i < brackets_.size(); ++i) {
    if (brackets_[i].reference > 0) {
      throw InvalidInput(
          fmt::format("\"${}\" in \"{}\" refers to nothing", brackets_[i].reference, text_),
          where_,
          "only the \"to\" of a link refers to the brackets of its \"from\"");
    }
    if (found.size() * brackets_[i].numbers.size() > kMostNames) {
      throw InvalidInput(fmt::format("\"{}\" stands for over {} names", text_, kMostNames), where_);
    }
    std::vector<Match> longer;
    for (const Match& match : found) {
      for (const std::int64_t number : brackets_[i].numbers) {
        longer.push_back(match);
        longer.back().name += std::to_string(number) + literals_[i + 1];
        longer.back().numbers.push_back(number);
      }
    }
    found = std::move(longer);
  }
  return found;
}

std::optional<NamePattern::Match> NamePattern::match(std::string_view name) const {
  std::string_view rest = name;
  Match found{std::string(name), {}};
  if (!take_literal(rest, literals_.front())) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < brackets_.size(); ++i) {
    const std::optional<std::int64_t> number = take_number(rest);
    const std::vector<std::int64_t>& allowed = brackets_[i].numbers;
    const bool fits =
        number && (brackets_[i].is_any ||
                   std::find(allowed.begin(), allowed.end(), *number) != allowed.end());
    if (!fits || !take_literal(rest, literals_[i + 1])) {
      return std::nullopt;
    }
    found.numbers.push_back(*number);
  }
  return rest.empty() ? std::optional(found) : std::nullopt;
}

NamePattern NamePattern::resolved(const std::vector<std::int64_t>& numbers) const {
  NamePattern result = *this;
  for (Bracket& bracket : result.brackets_) {
    if (bracket.reference == 0) {
      continue;
    }
    if (bracket.reference > numbers.size()) {
      throw InvalidInput(
          fmt::format("\"${}\" in \"{}\" refers to nothing", bracket.reference, text_),
          where_,
          fmt::format("\"from\" has {} brackets", numbers.size()));
    }
    bracket.numbers.assign(1, numbers[bracket.reference - 1]);
    bracket.reference = 0;
  }
  return result;
}

}  // namespace switchyard
