// Patterns over device and link names: "node[0..7].gpu[*]" stands for many names, and "nic[$2]" for
// one that depends on another match.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace switchyard {

/// A name with brackets in it. Inside brackets: `a..b` numbers from a to b, `a,b,c` these numbers,
/// `*` any number, `$n` the number that the n-th bracket of another pattern stood for.
class NamePattern {
 public:
  /// One name a pattern stands for, with the number each bracket took.
  struct Match {
    std::string name;
    std::vector<std::int64_t> numbers;  // [brackets]
  };

  /// Throws InvalidInput at `where` for unbalanced brackets and what is no such content.
  NamePattern(std::string_view text, const Location& where);

  [[nodiscard]] const std::string& text() const { return text_; }

  [[nodiscard]] std::size_t bracket_count() const { return brackets_.size(); }

  /// Whether `*` occurs, so that the names must be looked for among existing ones.
  [[nodiscard]] bool is_open() const;

  /// All names, first bracket slowest. Only for a pattern that is not open and has no `$`.
  [[nodiscard]] std::vector<Match> names() const;

  /// The numbers the brackets take in `name`, if the pattern stands for it.
  [[nodiscard]] std::optional<Match> match(std::string_view name) const;

  /// The pattern with every `$n` replaced by `numbers[n - 1]`. Throws InvalidInput if there is no
  /// such number.
  [[nodiscard]] NamePattern resolved(const std::vector<std::int64_t>& numbers) const;

  /// More names than this in one pattern are refused.
  static constexpr std::size_t kMostNames = 1'000'000;

 private:
  struct Bracket {
    bool is_any = false;
    std::size_t reference = 0;          // n of `$n`; 0 = none
    std::vector<std::int64_t> numbers;  // ascending as written; empty for `*` and `$n`
  };

  [[nodiscard]] Bracket read_bracket(std::string_view content) const;
  [[nodiscard]] std::int64_t read_number(std::string_view digits) const;

  std::string text_;
  Location where_;
  std::vector<std::string> literals_;  // [brackets + 1] the texts between
  std::vector<Bracket> brackets_;
};

}  // namespace switchyard
