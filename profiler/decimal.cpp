#include "profiler/decimal.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace switchyard {
namespace {

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kMostDigits = 64;
constexpr int kLargestExponent = 100;

// The power of ten after the mark; nothing if it is none, or absurd.
std::optional<int> parse_exponent(std::string_view text) {
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
  }
  int exponent = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, problem] = std::from_chars(text.data(), end, exponent);
  if (problem != std::errc() || stopped != end || exponent > kLargestExponent ||
      exponent < -kLargestExponent) {
    return std::nullopt;
  }
  return exponent;
}

// All digits of a number, and how many of them stand before its point.
struct Digits {
  std::array<char, kMostDigits> values{};
  std::size_t count = 0;
  std::int64_t point = -1;
};

std::optional<Digits> split_digits(std::string_view text) {
  Digits digits;
  for (const char letter : text) {
    if (letter == '.' && digits.point < 0) {
      digits.point = static_cast<std::int64_t>(digits.count);
    } else if (letter >= '0' && letter <= '9' && digits.count < kMostDigits) {
      digits.values[digits.count++] = static_cast<char>(letter - '0');
    } else {
      return std::nullopt;
    }
  }
  if (digits.count == 0) {
    return std::nullopt;
  }
  if (digits.point < 0) {
    digits.point = static_cast<std::int64_t>(digits.count);
  }
  return digits;
}

}  // namespace

std::optional<std::int64_t> scaled_decimal(std::string_view text, int power) {
  const std::size_t mark = static_cast<std::size_t>(
      std::find_if(
          text.begin(), text.end(), [](char letter) { return letter == 'e' || letter == 'E'; }) -
      text.begin());
  const auto exponent =
      mark == text.size() ? std::optional(0) : parse_exponent(text.substr(mark + 1));
  text = text.substr(0, mark);
  const bool is_negative = !text.empty() && text.front() == '-';
  const auto digits = split_digits(text.substr(is_negative ? 1 : 0));
  if (!exponent || !digits) {
    return std::nullopt;
  }
  const std::int64_t point = digits->point + *exponent + power;
  const auto count = static_cast<std::int64_t>(digits->count);
  const auto digit = [&](std::int64_t place) {
    return place < count ? digits->values[static_cast<std::size_t>(place)] : 0;
  };
  std::int64_t value = 0;
  for (std::int64_t place = 0; place < point; ++place) {
    if (value > (kLargest - digit(place)) / 10) {
      return std::nullopt;
    }
    value = value * 10 + digit(place);
  }
  if (point >= 0 && digit(point) >= 5) {
    if (value == kLargest) {
      return std::nullopt;
    }
    ++value;
  }
  return is_negative ? -value : value;
}

}  // namespace switchyard
