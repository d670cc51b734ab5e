// Integer arrays that inference servers put into JSON as text: base64 of raw little-endian numbers
// or of a whole .npy file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace switchyard {

/// Values in row-major order.
struct IntegerArray {
  std::vector<std::size_t> shape;
  std::vector<std::int32_t> values;
};

/// Standard alphabet, padded or not. Throws InvalidInput for any other character or a cut text.
std::vector<std::byte> decode_base64(std::string_view text, const Location& where);

/// `type` is numpy's name: "int8" to "int64", "uint8" to "uint32". Throws InvalidInput for another
/// type, a part of a number, or a number that does not fit 32 bits.
std::vector<std::int32_t> decode_integers(std::span<const std::byte> bytes,
                                          const std::string& type,
                                          const Location& where);

/// Whether the bytes start like a .npy file.
bool is_npy(std::span<const std::byte> bytes);

/// numpy's format, versions 1 to 3, little-endian integers in C order. Throws InvalidInput.
IntegerArray decode_npy(std::span<const std::byte> bytes, const Location& where);

/// Product; throws InvalidInput on overflow of 64 bits.
std::size_t element_count(std::span<const std::size_t> shape, const Location& where);

}  // namespace switchyard
