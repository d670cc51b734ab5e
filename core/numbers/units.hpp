// Quantities with their unit in the type, and the strings that carry units in files.
// A bare number in a file is always an error: "400" could be Gbps, GB/s or GiB/s.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace switchyard {

/// Time, in seconds.
using Seconds = std::chrono::duration<double>;

/// An amount of data, in bytes.
struct Bytes {
  std::int64_t count = 0;

  auto operator<=>(const Bytes&) const = default;

  Bytes& operator+=(Bytes other) {
    count += other.count;
    return *this;
  }

  friend Bytes operator+(Bytes a, Bytes b) { return Bytes{a.count + b.count}; }

  friend Bytes operator-(Bytes a, Bytes b) { return Bytes{a.count - b.count}; }

  friend Bytes operator*(Bytes a, std::int64_t times) { return Bytes{a.count * times}; }
};

/// A data rate, in bytes per second.
struct BytesPerSecond {
  double value = 0;

  auto operator<=>(const BytesPerSecond&) const = default;

  friend BytesPerSecond operator*(BytesPerSecond a, double factor) {
    return BytesPerSecond{a.value * factor};
  }
};

/// An amount of floating-point work (one multiply-add counts as two).
struct Flops {
  double count = 0;

  auto operator<=>(const Flops&) const = default;
};

/// A compute rate, in floating-point operations per second.
struct FlopsPerSecond {
  double value = 0;

  auto operator<=>(const FlopsPerSecond&) const = default;

  friend FlopsPerSecond operator*(FlopsPerSecond a, double factor) {
    return FlopsPerSecond{a.value * factor};
  }
};

inline Seconds operator/(Bytes amount, BytesPerSecond rate) {
  return Seconds{static_cast<double>(amount.count) / rate.value};
}

inline Seconds operator/(Flops work, FlopsPerSecond rate) {
  return Seconds{work.count / rate.value};
}

/// Readers of unit strings. `where` names the file and place for the error message.
/// They throw InvalidInput for a missing or unknown unit, a negative, non-finite or absurd value.
/// "64MiB", "1.5GB", "4096B"
Bytes parse_bytes(std::string_view text, const Location& where = {});
/// "400Gbps" (bits), "50GBps" (bytes)
BytesPerSecond parse_bandwidth(std::string_view text, const Location& where = {});
/// "1.2us", "300ns", "5ms", "2s"
Seconds parse_duration(std::string_view text, const Location& where = {});
/// "989TFLOPS"
FlopsPerSecond parse_compute_rate(std::string_view text, const Location& where = {});

/// Exact texts: parsing them gives the same value back.
std::string to_unit_string(Bytes amount);
std::string to_unit_string(BytesPerSecond rate);
std::string to_unit_string(Seconds time);
std::string to_unit_string(FlopsPerSecond rate);

/// Short texts for people: three significant digits, a space, a unit ("41.8 ms", "1.50 GiB").
std::string format_quantity(Bytes amount);
std::string format_quantity(BytesPerSecond rate);
std::string format_quantity(Seconds time);
std::string format_quantity(FlopsPerSecond rate);

}  // namespace switchyard
