// mma.sync.m16n8k16 of bfloat16 numbers with float sums.
#pragma once

#include <array>
#include <cstdint>

#include "tests/emulation/simt/simt_engine.hpp"

namespace switchyard {

/// A lane's registers of the three operands.
struct PtxTile {
  std::array<std::uint32_t, 4> a{};
  std::array<std::uint32_t, 2> b{};
  std::array<float, 4> c{};
};

/// A lane's registers of a x b + c. All 32 lanes of the warp must call; the products of an element
/// are added to c in ascending order with one rounding each, an order that PTX allows and GPUs need
/// not keep.
std::array<float, 4> ptx_multiply_tile(SimtEngine& engine, const PtxTile& tile, SimtPlace place);

}  // namespace switchyard
