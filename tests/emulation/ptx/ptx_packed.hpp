// Arithmetic on two 16-bit floats in one register (f16x2, bf16x2).
#pragma once

#include <cstdint>
#include <span>

#include "tests/emulation/ptx/ptx_module.hpp"

namespace switchyard {

std::uint64_t ptx_compute_packed(const PtxInstruction& instruction,
                                 std::span<const std::uint64_t> inputs);

}  // namespace switchyard
