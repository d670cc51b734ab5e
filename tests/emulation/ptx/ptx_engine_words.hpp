// What special registers and collectives of PTX mean for the SIMT engine.
#pragma once

#include <cstdint>

#include "tests/emulation/ptx/ptx_module.hpp"
#include "tests/emulation/simt/simt_engine.hpp"

namespace switchyard {

/// The value of a special register for the running thread.
std::uint64_t ptx_special_value(const SimtEngine& engine, PtxSpecial which);

/// The engine's name for a shfl, vote, match or redux; PtxError for a form that is not known.
WarpOperation ptx_warp_operation(const PtxInstruction& instruction);

}  // namespace switchyard
