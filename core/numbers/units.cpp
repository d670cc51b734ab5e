// Unit strings. One table per quantity serves reading, exact writing and the hint in errors.
#include "core/numbers/units.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

#include <fmt/format.h>

namespace switchyard {
namespace {

struct Unit {
  std::string_view name;
  double scale;  // of the base unit
};

// Each table runs from the smallest to the largest unit; the printers rely on it.
constexpr std::array kByteUnits{Unit{"B", 1},
                                Unit{"kB", 1e3},
                                Unit{"KiB", 1024.0},
                                Unit{"MB", 1e6},
                                Unit{"MiB", 1048576.0},
                                Unit{"GB", 1e9},
                                Unit{"GiB", 1073741824.0},
                                Unit{"TB", 1e12},
                                Unit{"TiB", 1099511627776.0}};
constexpr std::array kBandwidthUnits{Unit{"bps", 0.125},
                                     Unit{"Bps", 1},
                                     Unit{"kbps", 125},
                                     Unit{"kBps", 1e3},
                                     Unit{"Mbps", 125e3},
                                     Unit{"MBps", 1e6},
                                     Unit{"Gbps", 125e6},
                                     Unit{"GBps", 1e9},
                                     Unit{"GiBps", 1073741824.0},
                                     Unit{"Tbps", 125e9},
                                     Unit{"TBps", 1e12}};
constexpr std::array kTimeUnits{
    Unit{"ps", 1e-12}, Unit{"ns", 1e-9}, Unit{"us", 1e-6}, Unit{"ms", 1e-3}, Unit{"s", 1}};
constexpr std::array kComputeUnits{Unit{"FLOPS", 1},
                                   Unit{"MFLOPS", 1e6},
                                   Unit{"GFLOPS", 1e9},
                                   Unit{"TFLOPS", 1e12},
                                   Unit{"PFLOPS", 1e15}};

struct Quantity {
  std::string_view noun;     // for messages
  std::string_view example;  // unit suggested when there is none
  double largest;            // beyond this it is a slip of the keyboard, not a machine
  std::span<const Unit> units;
};

constexpr Quantity kBytes{"amount of data", "MiB", 1e18, kByteUnits};
constexpr Quantity kBandwidth{"bandwidth", "Gbps", 1e18, kBandwidthUnits};
constexpr Quantity kTime{"duration", "us", 1e9, kTimeUnits};
constexpr Quantity kCompute{"compute rate", "TFLOPS", 1e24, kComputeUnits};

std::string known_units(const Quantity& quantity) {
  std::string names;
  for (const Unit& unit : quantity.units) {
    names += names.empty() ? "" : ", ";
    names += unit.name;
  }
  return names;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

double parse(std::string_view text, const Quantity& quantity, const Location& where) {
  const std::string_view body = trimmed(text);
  double number = 0;
  const auto [end, problem] = std::from_chars(body.data(), body.data() + body.size(), number);
  if (problem != std::errc{} || end == body.data()) {
    throw InvalidInput(fmt::format("\"{}\" is not a {}", text, quantity.noun),
                       where,
                       fmt::format("write a number and a unit, such as \"4{}\"", quantity.example));
  }
  const std::string_view suffix = trimmed(body.substr(static_cast<std::size_t>(end - body.data())));
  if (suffix.empty()) {
    throw InvalidInput(fmt::format("\"{}\" has no unit", text),
                       where,
                       fmt::format("try \"{}{}\"", body, quantity.example));
  }
  for (const Unit& unit : quantity.units) {
    if (unit.name != suffix) {
      continue;
    }
    const double value = number * unit.scale;
    if (!std::isfinite(value) || value < 0 || value > quantity.largest) {
      throw InvalidInput(fmt::format("\"{}\" is not a possible {}", text, quantity.noun),
                         where,
                         "it must be finite, not negative and of this world");
    }
    return value;
  }
  throw InvalidInput(fmt::format("\"{}\" has the unknown unit \"{}\"", text, suffix),
                     where,
                     fmt::format("a {} takes one of {}", quantity.noun, known_units(quantity)));
}

// The largest unit that keeps the text short and exact: fmt's shortest form of a double reads back
// to the same bits, so exactness only has to be checked after the division.
std::string exact_text(double value, const Quantity& quantity) {
  std::string best;
  for (const Unit& unit : quantity.units) {
    const std::string candidate = fmt::format("{}{}", value / unit.scale, unit.name);
    if (parse(candidate, quantity, {}) == value &&
        (best.empty() || candidate.size() < best.size())) {
      best = candidate;
    }
  }
  return best.empty() ? fmt::format("{}{}", value, quantity.units.back().name) : best;
}

std::string short_text(double value, std::span<const Unit> scale) {
  const Unit* chosen = &scale.front();
  for (const Unit& unit : scale) {
    if (std::abs(value) >= unit.scale) {
      chosen = &unit;
    }
  }
  const double number = value / chosen->scale;
  const double size = std::abs(number);
  const int digits = size >= 99.95 || number == 0 ? 0 : size >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", number, digits, chosen->name);
}

}  // namespace

Bytes parse_bytes(std::string_view text, const Location& where) {
  const double value = parse(text, kBytes, where);
  if (value != std::floor(value)) {
    throw InvalidInput(fmt::format("\"{}\" is not a whole number of bytes", text), where);
  }
  return Bytes{static_cast<std::int64_t>(value)};
}

BytesPerSecond parse_bandwidth(std::string_view text, const Location& where) {
  return BytesPerSecond{parse(text, kBandwidth, where)};
}

Seconds parse_duration(std::string_view text, const Location& where) {
  return Seconds{parse(text, kTime, where)};
}

FlopsPerSecond parse_compute_rate(std::string_view text, const Location& where) {
  return FlopsPerSecond{parse(text, kCompute, where)};
}

std::string to_unit_string(Bytes amount) {
  return exact_text(static_cast<double>(amount.count), kBytes);
}

std::string to_unit_string(BytesPerSecond rate) {
  return exact_text(rate.value, kBandwidth);
}

std::string to_unit_string(Seconds time) {
  return exact_text(time.count(), kTime);
}

std::string to_unit_string(FlopsPerSecond rate) {
  return exact_text(rate.value, kCompute);
}

std::string format_quantity(Bytes amount) {
  static constexpr std::array kScale{Unit{"B", 1},
                                     Unit{"KiB", 1024.0},
                                     Unit{"MiB", 1048576.0},
                                     Unit{"GiB", 1073741824.0},
                                     Unit{"TiB", 1099511627776.0}};
  return short_text(static_cast<double>(amount.count), kScale);
}

std::string format_quantity(BytesPerSecond rate) {
  static constexpr std::array kScale{
      Unit{"B/s", 1}, Unit{"kB/s", 1e3}, Unit{"MB/s", 1e6}, Unit{"GB/s", 1e9}, Unit{"TB/s", 1e12}};
  return short_text(rate.value, kScale);
}

std::string format_quantity(Seconds time) {
  static constexpr std::array kScale{
      Unit{"ns", 1e-9}, Unit{"us", 1e-6}, Unit{"ms", 1e-3}, Unit{"s", 1}};
  return short_text(time.count(), kScale);
}

std::string format_quantity(FlopsPerSecond rate) {
  static constexpr std::array kScale{Unit{"FLOP/s", 1},
                                     Unit{"MFLOP/s", 1e6},
                                     Unit{"GFLOP/s", 1e9},
                                     Unit{"TFLOP/s", 1e12},
                                     Unit{"PFLOP/s", 1e15}};
  return short_text(rate.value, kScale);
}

}  // namespace switchyard
