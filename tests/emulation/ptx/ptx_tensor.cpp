#include "tests/emulation/ptx/ptx_tensor.hpp"

#include <bit>
#include <cmath>

namespace switchyard {
namespace {

float low_half(std::uint32_t word) {
  return std::bit_cast<float>(word << 16);
}

float high_half(std::uint32_t word) {
  return std::bit_cast<float>(word & 0xFFFF0000U);
}

}  // namespace

std::array<float, 4> ptx_multiply_tile(SimtEngine& engine, const PtxTile& tile, SimtPlace place) {
  const auto from_lane = [&](std::uint32_t value, std::uint32_t lane) {
    return static_cast<std::uint32_t>(engine
                                          .collective({.operation = WarpOperation::ShuffleIndex,
                                                       .value = value,
                                                       .argument = static_cast<int>(lane)},
                                                      place)
                                          .value);
  };
  const std::uint32_t group = engine.lane() / 4;
  const std::uint32_t column = engine.lane() % 4 * 2;
  std::array<float, 4> sums = tile.c;
  // Coordinates 0 to 7 lie in the first registers of four lanes, 8 to 15 in the second ones.
  for (std::size_t half = 0; half < 2; ++half) {
    for (std::uint32_t source = 0; source < 4; ++source) {
      std::array<std::uint32_t, 2> rows{};
      std::array<std::uint32_t, 2> columns{};
      for (std::uint32_t item = 0; item < 2; ++item) {
        rows.at(item) = from_lane(tile.a.at(2 * half + item), group * 4 + source);
        columns.at(item) = from_lane(tile.b.at(half), (column + item) * 4 + source);
      }
      for (std::size_t item = 0; item < 4; ++item) {
        const std::uint32_t a = rows.at(item / 2);
        const std::uint32_t b = columns.at(item % 2);
        sums.at(item) = std::fmaf(low_half(a), low_half(b), sums.at(item));
        sums.at(item) = std::fmaf(high_half(a), high_half(b), sums.at(item));
      }
    }
  }
  return sums;
}

}  // namespace switchyard
