#include "tests/emulation/ptx/ptx_arithmetic.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <fmt/core.h>

#include "tests/emulation/ptx/ptx_packed.hpp"

namespace switchyard {
namespace {

using Inputs = std::span<const std::uint64_t>;

[[noreturn]] void refuse(const PtxInstruction& instruction) {
  throw PtxError(fmt::format("ptx line {}: not known: {}", instruction.line, instruction.text));
}

float as_float(std::uint64_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value));
}

std::uint64_t as_bits(float value) {
  return std::bit_cast<std::uint32_t>(value);
}

/// PTX: of a number and a NaN the number; -0 is less than +0.
float float_extreme(float a, float b, bool is_maximum) {
  if (std::isnan(a) || std::isnan(b)) {
    return std::isnan(a) ? b : a;
  }
  if (a == b) {
    return std::signbit(a) == is_maximum ? b : a;
  }
  return (a > b) == is_maximum ? a : b;
}

std::uint64_t compute_float(const PtxInstruction& instruction, Inputs in) {
  switch (instruction.opcode) {
    case PtxOpcode::Add:
      return as_bits(as_float(in[0]) + as_float(in[1]));
    case PtxOpcode::Sub:
      return as_bits(as_float(in[0]) - as_float(in[1]));
    case PtxOpcode::Mul:
      return as_bits(as_float(in[0]) * as_float(in[1]));
    case PtxOpcode::Div:
      return as_bits(as_float(in[0]) / as_float(in[1]));
    case PtxOpcode::Fma:
      return as_bits(std::fmaf(as_float(in[0]), as_float(in[1]), as_float(in[2])));
    case PtxOpcode::Max:
    case PtxOpcode::Min:
      return as_bits(
          float_extreme(as_float(in[0]), as_float(in[1]), instruction.opcode == PtxOpcode::Max));
    case PtxOpcode::Sqrt:
      return as_bits(std::sqrt(as_float(in[0])));
    case PtxOpcode::Neg:
      return in[0] ^ 0x80000000U;
    case PtxOpcode::Abs:
      return in[0] & 0x7FFFFFFFU;
    default:
      refuse(instruction);
  }
}

std::uint64_t multiply(const PtxInstruction& instruction, std::uint64_t a, std::uint64_t b) {
  const unsigned bytes = instruction.type.bytes;
  const bool is_signed = instruction.type.kind == PtxKind::Signed;
  if (!instruction.has("wide") && !instruction.has("hi")) {
    return ptx_truncated(a * b, bytes);
  }
  if (bytes > 4) {
    refuse(instruction);
  }
  const std::uint64_t product =
      is_signed ? static_cast<std::uint64_t>(ptx_signed(a, bytes) * ptx_signed(b, bytes)) : a * b;
  return instruction.has("wide") ? ptx_truncated(product, 2 * bytes)
                                 : ptx_truncated(product >> (8 * bytes), bytes);
}

std::uint64_t divide(const PtxInstruction& instruction, std::uint64_t a, std::uint64_t b) {
  const unsigned bytes = instruction.type.bytes;
  if (b == 0) {
    throw PtxError(fmt::format("ptx line {}: division by zero", instruction.line));
  }
  const bool is_remainder = instruction.opcode == PtxOpcode::Rem;
  if (instruction.type.kind == PtxKind::Signed) {
    const std::int64_t x = ptx_signed(a, bytes);
    const std::int64_t y = ptx_signed(b, bytes);
    return ptx_truncated(static_cast<std::uint64_t>(is_remainder ? x % y : x / y), bytes);
  }
  return is_remainder ? a % b : a / b;
}

std::uint64_t shift(const PtxInstruction& instruction, std::uint64_t value, std::uint64_t by) {
  const unsigned bits = 8U * instruction.type.bytes;
  const std::uint64_t distance = ptx_truncated(by, 4);
  if (instruction.opcode == PtxOpcode::Shl) {
    return distance >= bits ? 0 : ptx_truncated(value << distance, instruction.type.bytes);
  }
  if (instruction.type.kind == PtxKind::Signed) {
    const std::int64_t number = ptx_signed(value, instruction.type.bytes);
    const auto shifted = number >> std::min<std::uint64_t>(distance, bits - 1);
    return ptx_truncated(static_cast<std::uint64_t>(shifted), instruction.type.bytes);
  }
  return distance >= bits ? 0 : value >> distance;
}

std::uint64_t funnel_shift(const PtxInstruction& instruction, Inputs in) {
  const std::uint64_t joined = in[0] | in[1] << 32;
  const auto by = static_cast<std::uint32_t>(in[2]);
  const std::uint32_t distance = instruction.has("clamp") ? std::min(by, 32U) : by & 31U;
  return ptx_truncated(instruction.has("l") ? joined << distance >> 32 : joined >> distance, 4);
}

std::uint64_t permute(Inputs in) {
  const std::uint64_t bytes = in[0] | in[1] << 32;
  std::uint64_t result = 0;
  for (unsigned position = 0; position < 4; ++position) {
    const std::uint64_t nibble = in[2] >> (4 * position) & 15U;
    const std::uint64_t byte = bytes >> (8 * (nibble & 7U)) & 0xFFU;
    const std::uint64_t sign_spread = (byte & 0x80U) != 0 ? 0xFFU : 0U;
    result |= ((nibble & 8U) != 0 ? sign_spread : byte) << (8 * position);
  }
  return result;
}

std::uint64_t insert_field(const PtxInstruction& instruction, Inputs in) {
  const unsigned bits = 8U * instruction.type.bytes;
  const std::uint64_t position = in[2] & 0xFFU;
  const std::uint64_t length = in[3] & 0xFFU;
  if (position >= bits || length == 0) {
    return in[1];
  }
  const std::uint64_t field = length >= 64 ? ~0ULL : (1ULL << length) - 1;
  const std::uint64_t mask = field << position;
  return ptx_truncated((in[1] & ~mask) | (in[0] << position & mask), instruction.type.bytes);
}

std::uint64_t extract_field(const PtxInstruction& instruction, Inputs in) {
  const std::uint64_t position = in[1] & 0xFFU;
  const std::uint64_t length = in[2] & 0xFFU;
  if (instruction.type.kind != PtxKind::Unsigned) {
    refuse(instruction);
  }
  const std::uint64_t field = length >= 64 ? ~0ULL : (1ULL << length) - 1;
  return position >= 64 ? 0 : in[0] >> position & field;
}

std::uint64_t look_up_3(Inputs in) {
  std::uint64_t result = 0;
  for (unsigned bit = 0; bit < 32; ++bit) {
    const std::uint64_t row =
        (in[0] >> bit & 1U) << 2 | (in[1] >> bit & 1U) << 1 | (in[2] >> bit & 1U);
    result |= (in[3] >> row & 1U) << bit;
  }
  return result;
}

std::uint64_t reverse_bits(std::uint64_t value) {
  std::uint64_t result = 0;
  for (unsigned bit = 0; bit < 32; ++bit) {
    result |= (value >> bit & 1U) << (31 - bit);
  }
  return result;
}

std::uint64_t integer_extreme(const PtxInstruction& instruction, Inputs in) {
  const unsigned bytes = instruction.type.bytes;
  const bool is_less = instruction.type.kind == PtxKind::Signed
                           ? ptx_signed(in[0], bytes) < ptx_signed(in[1], bytes)
                           : in[0] < in[1];
  return is_less == (instruction.opcode == PtxOpcode::Max) ? in[1] : in[0];
}

std::uint64_t bit_operation(const PtxInstruction& instruction, Inputs in) {
  const unsigned bytes = instruction.type.bytes;
  switch (instruction.opcode) {
    case PtxOpcode::And:
      return in[0] & in[1];
    case PtxOpcode::Or:
      return in[0] | in[1];
    case PtxOpcode::Xor:
      return in[0] ^ in[1];
    case PtxOpcode::Not:
      return instruction.type.kind == PtxKind::Predicate ? in[0] ^ 1U
                                                         : ptx_truncated(~in[0], bytes);
    case PtxOpcode::Popc:
      return static_cast<std::uint64_t>(std::popcount(in[0]));
    case PtxOpcode::Clz:
      return static_cast<std::uint64_t>(std::countl_zero(in[0])) - (64U - 8U * bytes);
    case PtxOpcode::Brev:
      return reverse_bits(in[0]);
    case PtxOpcode::Bfi:
      return insert_field(instruction, in);
    case PtxOpcode::Bfe:
      return extract_field(instruction, in);
    case PtxOpcode::Prmt:
      return permute(in);
    case PtxOpcode::Lop3:
      return look_up_3(in);
    case PtxOpcode::Shf:
      return funnel_shift(instruction, in);
    default:
      refuse(instruction);
  }
}

std::uint64_t compute_integer(const PtxInstruction& instruction, Inputs in) {
  const unsigned bytes = instruction.type.bytes;
  switch (instruction.opcode) {
    case PtxOpcode::Add:
      return ptx_truncated(in[0] + in[1], bytes);
    case PtxOpcode::Sub:
      return ptx_truncated(in[0] - in[1], bytes);
    case PtxOpcode::Mul:
      return multiply(instruction, in[0], in[1]);
    case PtxOpcode::Mad: {
      const unsigned sum_bytes = instruction.has("wide") ? 2 * bytes : bytes;
      return ptx_truncated(multiply(instruction, in[0], in[1]) + in[2], sum_bytes);
    }
    case PtxOpcode::Div:
    case PtxOpcode::Rem:
      return divide(instruction, in[0], in[1]);
    case PtxOpcode::Max:
    case PtxOpcode::Min:
      return integer_extreme(instruction, in);
    case PtxOpcode::Neg:
      return ptx_truncated(0 - in[0], bytes);
    case PtxOpcode::Abs:
      return ptx_truncated(ptx_signed(in[0], bytes) < 0 ? 0 - in[0] : in[0], bytes);
    case PtxOpcode::Shl:
    case PtxOpcode::Shr:
      return shift(instruction, in[0], in[1]);
    default:
      return bit_operation(instruction, in);
  }
}

std::uint64_t float_to_integer(const PtxInstruction& instruction, float value) {
  const float whole = instruction.has("rni") ? std::nearbyint(value) : std::trunc(value);
  const bool is_word = instruction.type == PtxType{PtxKind::Signed, 4};
  if (!is_word || !(instruction.has("rni") || instruction.has("rzi"))) {
    refuse(instruction);
  }
  const auto limited = std::isnan(value) ? 0.0 : std::clamp(double{whole}, -0x1p31, 0x1p31 - 1.0);
  return ptx_truncated(static_cast<std::uint64_t>(static_cast<std::int64_t>(limited)), 4);
}

std::uint64_t convert(const PtxInstruction& instruction, std::uint64_t value) {
  const PtxType& to = instruction.type;
  const PtxType& from = instruction.source_type;
  const bool is_signed = from.kind == PtxKind::Signed;
  if (from == PtxType{PtxKind::Float, 4}) {
    return float_to_integer(instruction, as_float(value));
  }
  if (from.kind == PtxKind::Float || from.kind == PtxKind::BFloat) {
    refuse(instruction);
  }
  const std::uint64_t narrow = ptx_truncated(value, from.bytes);
  const std::int64_t number = ptx_signed(narrow, from.bytes);
  if (to == PtxType{PtxKind::Float, 4}) {
    return as_bits(is_signed ? static_cast<float>(number) : static_cast<float>(narrow));
  }
  if (to.kind == PtxKind::Float || to.kind == PtxKind::BFloat) {
    refuse(instruction);
  }
  return ptx_truncated(is_signed ? static_cast<std::uint64_t>(number) : narrow, to.bytes);
}

template <typename Value>
bool holds(const PtxInstruction& instruction, Value a, Value b) {
  const auto is = [&](std::string_view word) { return instruction.has(word); };
  return (is("eq") && a == b) || (is("ne") && a != b) || ((is("lt") || is("lo")) && a < b) ||
         ((is("le") || is("ls")) && a <= b) || ((is("gt") || is("hi")) && a > b) ||
         ((is("ge") || is("hs")) && a >= b);
}

bool compare_floats(const PtxInstruction& instruction, float a, float b) {
  const bool is_unordered = std::isnan(a) || std::isnan(b);
  for (const std::string_view word : {"equ", "neu", "ltu", "leu", "gtu", "geu"}) {
    if (instruction.has(word)) {
      PtxInstruction ordered = instruction;
      ordered.modifiers = {std::string(word.substr(0, 2))};
      return is_unordered || holds(ordered, a, b);
    }
  }
  if (instruction.has("num") || instruction.has("nan")) {
    return is_unordered == instruction.has("nan");
  }
  return !is_unordered && holds(instruction, a, b);
}

}  // namespace

std::uint64_t ptx_truncated(std::uint64_t value, unsigned bytes) {
  return bytes >= 8 ? value : value & ((1ULL << (8 * bytes)) - 1);
}

std::int64_t ptx_signed(std::uint64_t value, unsigned bytes) {
  const unsigned unused = 64 - 8 * bytes;
  return static_cast<std::int64_t>(value << unused) >> unused;
}

std::uint64_t ptx_compute(const PtxInstruction& instruction, Inputs inputs) {
  if (instruction.opcode == PtxOpcode::Cvt) {
    return convert(instruction, inputs[0]);
  }
  if (instruction.opcode == PtxOpcode::Selp) {
    return inputs[2] != 0 ? inputs[0] : inputs[1];
  }
  if (instruction.type.is_packed) {
    return ptx_compute_packed(instruction, inputs);
  }
  if (instruction.type == PtxType{PtxKind::Float, 4}) {
    return compute_float(instruction, inputs);
  }
  if (instruction.type.kind == PtxKind::Float || instruction.type.kind == PtxKind::BFloat) {
    refuse(instruction);
  }
  return compute_integer(instruction, inputs);
}

bool ptx_compare(const PtxInstruction& instruction, std::uint64_t a, std::uint64_t b) {
  const PtxType& type = instruction.type;
  if (type == PtxType{PtxKind::Float, 4}) {
    return compare_floats(instruction, as_float(a), as_float(b));
  }
  if (type.kind == PtxKind::Float || type.kind == PtxKind::BFloat) {
    refuse(instruction);
  }
  return type.kind == PtxKind::Signed
             ? holds(instruction, ptx_signed(a, type.bytes), ptx_signed(b, type.bytes))
             : holds(instruction, ptx_truncated(a, type.bytes), ptx_truncated(b, type.bytes));
}

std::uint64_t ptx_atomic_update(const PtxInstruction& instruction,
                                std::uint64_t old,
                                Inputs inputs) {
  const auto compute = [&](PtxOpcode opcode) {
    PtxInstruction update = instruction;
    update.opcode = opcode;
    const std::uint64_t operands[] = {old, inputs[0]};
    return ptx_compute(update, operands);
  };
  if (instruction.has("exch")) {
    return inputs[0];
  }
  if (instruction.has("cas")) {
    return old == inputs[0] ? inputs[1] : old;
  }
  for (const auto& [word, opcode] : {std::pair{"add", PtxOpcode::Add},
                                     {"max", PtxOpcode::Max},
                                     {"min", PtxOpcode::Min},
                                     {"and", PtxOpcode::And},
                                     {"or", PtxOpcode::Or}}) {
    if (instruction.has(word)) {
      return compute(opcode);
    }
  }
  refuse(instruction);
}

}  // namespace switchyard
