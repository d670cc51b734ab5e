// Values in, value out: what the PTX ISA says each arithmetic instruction computes. Registers are
// 64 bits wide and hold values zero-extended from the operation's type.
#pragma once

#include <cstdint>
#include <span>

#include "tests/emulation/ptx/ptx_module.hpp"

namespace switchyard {

/// The result of an instruction that only computes; PtxError for a form that is not known.
std::uint64_t ptx_compute(const PtxInstruction& instruction, std::span<const std::uint64_t> inputs);

/// The comparison of a setp, before its optional combination with a predicate.
bool ptx_compare(const PtxInstruction& instruction, std::uint64_t a, std::uint64_t b);

/// An atomic's new memory value.
std::uint64_t ptx_atomic_update(const PtxInstruction& instruction,
                                std::uint64_t old,
                                std::span<const std::uint64_t> inputs);

/// `value` cut to `bytes`, zero-extended.
std::uint64_t ptx_truncated(std::uint64_t value, unsigned bytes);

/// `value` of a type with `bytes` read as a signed number.
std::int64_t ptx_signed(std::uint64_t value, unsigned bytes);

}  // namespace switchyard
