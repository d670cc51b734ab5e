// How far apart the ranks of a collective start, as a distribution: compute before it never takes
// all of them equally long.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/numbers/units.hpp"

namespace switchyard {

enum class SpreadShape {
  None,         // all at once
  Uniform,      // between 0 and `scale`
  Exponential,  // mean `scale`
  LogNormal,    // median `scale`, `sigma` of the logarithm
  Stragglers,   // `scale` late with probability `share`, else on time
};

std::string_view spread_shape_name(SpreadShape shape);

struct StartSpread {
  SpreadShape shape = SpreadShape::None;
  Seconds scale{0};
  double sigma = 0;
  double share = 0;
  std::uint64_t seed = 0;
};

/// [ranks] seconds; depends on the spread and the rank's number alone.
std::vector<double> drawn_starts(const StartSpread& spread, std::size_t ranks);

/// Throws InvalidInput for a negative or non-finite scale or sigma, or a share outside [0, 1].
void check_spread(const StartSpread& spread);

}  // namespace switchyard
