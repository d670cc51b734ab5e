// The header of .npy is a Python dictionary; only the one spelling that numpy writes is understood.
#include "traces/reading/encoded_array.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <limits>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace switchyard {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kNpyMagic = "\x93NUMPY";

constexpr std::array<std::int8_t, 256> base64_values() {
  std::array<std::int8_t, 256> values{};
  for (std::int8_t& value : values) {
    value = -1;
  }
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}

constexpr std::array<std::int8_t, 256> kBase64Values = base64_values();

template <class T>
std::vector<std::int32_t> narrow(std::span<const std::byte> bytes, const Location& where) {
  if (bytes.size() % sizeof(T) != 0) {
    throw InvalidInput(
        fmt::format("{} bytes are no whole numbers of {} bytes", bytes.size(), sizeof(T)), where);
  }
  std::vector<std::int32_t> values(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value = 0;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    if (!std::in_range<std::int32_t>(value)) {
      throw InvalidInput(fmt::format("{} does not fit 32 bits", value), where);
    }
    values[i] = static_cast<std::int32_t>(value);
  }
  return values;
}

std::string_view between(std::string_view text,
                         std::string_view start,
                         std::string_view end,
                         const Location& where) {
  const std::size_t from = text.find(start);
  const std::size_t to =
      from == std::string_view::npos ? from : text.find(end, from + start.size());
  if (to == std::string_view::npos) {
    throw InvalidInput(fmt::format("a .npy header without {}...{}", start, end), where);
  }
  return text.substr(from + start.size(), to - from - start.size());
}

std::vector<std::size_t> parse_shape(std::string_view text, const Location& where) {
  std::vector<std::size_t> shape;
  const char* next = text.data();
  const char* const end = text.data() + text.size();
  while (next != end) {
    if (*next == ' ' || *next == ',') {
      ++next;
      continue;
    }
    std::size_t extent = 0;
    const auto [after, problem] = std::from_chars(next, end, extent);
    if (problem != std::errc()) {
      throw InvalidInput("a .npy header with a shape that is none", where);
    }
    shape.push_back(extent);
    next = after;
  }
  return shape;
}

}  // namespace

std::vector<std::byte> decode_base64(std::string_view text, const Location& where) {
  while (text.ends_with('=')) {
    text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) {
    throw InvalidInput("base64 text that was cut short", where);
  }
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const int value = kBase64Values[static_cast<unsigned char>(c)];
    if (value < 0) {
      throw InvalidInput("a character that is not base64", where);
    }
    bits = (bits << 6U) | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes.push_back(static_cast<std::byte>((bits >> held) & 0xFFU));
    }
  }
  return bytes;
}

std::vector<std::int32_t> decode_integers(std::span<const std::byte> bytes,
                                          const std::string& type,
                                          const Location& where) {
  using Decode = std::vector<std::int32_t> (*)(std::span<const std::byte>, const Location&);
  static const std::map<std::string, Decode> decoders{
      {"int8", &narrow<std::int8_t>},
      {"uint8", &narrow<std::uint8_t>},
      {"int16", &narrow<std::int16_t>},
      {"uint16", &narrow<std::uint16_t>},
      {"int32", &narrow<std::int32_t>},
      {"uint32", &narrow<std::uint32_t>},
      {"int64", &narrow<std::int64_t>},
  };
  const auto found = decoders.find(type);
  if (found == decoders.end()) {
    throw InvalidInput("expert ids of a type that is not read here",
                       where,
                       "known: int8 to int64, uint8 to uint32");
  }
  return found->second(bytes, where);
}

bool is_npy(std::span<const std::byte> bytes) {
  return bytes.size() >= kNpyMagic.size() &&
         std::memcmp(bytes.data(), kNpyMagic.data(), kNpyMagic.size()) == 0;
}

IntegerArray decode_npy(std::span<const std::byte> bytes, const Location& where) {
  static const std::map<std::string, std::string> types{{"|i1", "int8"},
                                                        {"|u1", "uint8"},
                                                        {"<i2", "int16"},
                                                        {"<u2", "uint16"},
                                                        {"<i4", "int32"},
                                                        {"<u4", "uint32"},
                                                        {"<i8", "int64"}};
  constexpr std::size_t kVersionAt = 6;
  const std::size_t length_bytes =
      bytes.size() > kVersionAt && std::to_integer<int>(bytes[kVersionAt]) >= 2 ? 4 : 2;
  const std::size_t header_at = kVersionAt + 2 + length_bytes;
  if (!is_npy(bytes) || bytes.size() < header_at) {
    throw InvalidInput("is no .npy array", where);
  }
  std::size_t length = 0;
  for (std::size_t i = length_bytes; i-- > 0;) {
    length = (length << 8U) | std::to_integer<std::size_t>(bytes[kVersionAt + 2 + i]);
  }
  if (length > bytes.size() - header_at) {
    throw InvalidInput("a .npy array that was cut short", where);
  }
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + header_at, length);
  const auto type = types.find(std::string(between(header, "'descr': '", "'", where)));
  if (type == types.end() || header.find("'fortran_order': False") == std::string_view::npos) {
    throw InvalidInput("a .npy array that is not of little-endian integers in C order", where);
  }
  IntegerArray array;
  array.shape = parse_shape(between(header, "'shape': (", ")", where), where);
  array.values = decode_integers(bytes.subspan(header_at + length), type->second, where);
  if (array.values.size() != element_count(array.shape, where)) {
    throw InvalidInput(fmt::format("a .npy array of {} numbers for {}",
                                   array.values.size(),
                                   element_count(array.shape, where)),
                       where);
  }
  return array;
}

std::size_t element_count(std::span<const std::size_t> shape, const Location& where) {
  std::size_t count = 1;
  for (const std::size_t extent : shape) {
    if (__builtin_mul_overflow(count, extent, &count)) {
      throw InvalidInput("a shape that overflows 64 bits", where);
    }
  }
  return count;
}

}  // namespace switchyard
