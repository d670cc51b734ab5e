// Walks over the numbers of one line of a text file, fast: no copies, no locale, no allocation
// until something is wrong.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/files/text_reader.hpp"

namespace switchyard {

class NumberScanner {
 public:
  /// Over `line`, which must be `reader`'s current line: errors name its number.
  NumberScanner(std::string_view line, const TextReader& reader)
      : next_(line.data()), end_(line.data() + line.size()), reader_(&reader) {}

  [[nodiscard]] bool at_end() const { return next_ == end_; }

  /// Whether `c` comes next; steps over it if so.
  bool skip(char c) {
    const bool is_next = next_ != end_ && *next_ == c;
    next_ += is_next ? 1 : 0;
    return is_next;
  }

  /// Throws InvalidInput unless `c` comes next.
  void expect(char c) {
    if (!skip(c)) {
      fail(std::string("wanted '") + (c == '\t' ? std::string("\\t") : std::string(1, c)) + "'");
    }
  }

  /// Throws InvalidInput unless a whole number from `lowest` to `highest` comes next.
  std::int64_t integer(std::int64_t lowest, std::int64_t highest) {
    std::int64_t value = 0;
    const auto [after, problem] = std::from_chars(next_, end_, value);
    if (problem != std::errc() || value < lowest || value > highest) {
      fail("wanted a whole number from " + std::to_string(lowest) + " to " +
           std::to_string(highest));
    }
    next_ = after;
    return value;
  }

  /// Throws InvalidInput unless a finite number comes next.
  float number() {
    float value = 0;
    const auto [after, problem] = std::from_chars(next_, end_, value);
    // Written so that NaN fails; a value too small for a float is as good as zero.
    const bool is_tiny = problem == std::errc::result_out_of_range && after != next_ && value == 0;
    if ((problem != std::errc() && !is_tiny) || !(value - value == 0)) {
      fail("wanted a number");
    }
    next_ = after;
    return value;
  }

  /// The file and the line.
  [[nodiscard]] Location where() const { return reader_->where(); }

  /// Throws InvalidInput with the line's number and the text at this point.
  [[noreturn]] void fail(const std::string& message) const;

 private:
  const char* next_;
  const char* end_;
  const TextReader* reader_;
};

/// The part of `text` that may be quoted in a message: printable, at most `longest` characters.
std::string quotable(std::string_view text, std::size_t longest = 20);

}  // namespace switchyard
