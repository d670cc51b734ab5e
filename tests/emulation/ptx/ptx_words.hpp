// The vocabulary of the PTX subset: which word names which opcode, special register or type.
#pragma once

#include <optional>
#include <string_view>

#include "tests/emulation/ptx/ptx_module.hpp"

namespace switchyard {

std::optional<PtxOpcode> ptx_opcode_of(std::string_view word);

/// For "%tid.x" and its like.
std::optional<PtxSpecial> ptx_special_of(std::string_view word);

}  // namespace switchyard
