#include "sim/network/start_spread.hpp"

#include <array>
#include <cmath>

#include "core/error.hpp"
#include "core/numbers/random.hpp"

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 5> kShapeNames{
    "none", "uniform", "exponential", "log_normal", "stragglers"};

double draw(const StartSpread& spread, std::size_t rank) {
  RandomStream random(spread.seed, {rank});
  const double scale = spread.scale.count();
  switch (spread.shape) {
    case SpreadShape::None:
      return 0;
    case SpreadShape::Uniform:
      return scale * random.uniform();
    case SpreadShape::Exponential:
      return -scale * std::log1p(-random.uniform());
    case SpreadShape::LogNormal:
      return scale * std::exp(spread.sigma * random.normal());
    case SpreadShape::Stragglers:
      return random.uniform() < spread.share ? scale : 0;
  }
  return 0;
}

}  // namespace

std::string_view spread_shape_name(SpreadShape shape) {
  return kShapeNames.at(static_cast<std::size_t>(shape));
}

std::vector<double> drawn_starts(const StartSpread& spread, std::size_t ranks) {
  std::vector<double> starts(ranks, 0);
  if (spread.shape != SpreadShape::None) {
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      starts[rank] = draw(spread, rank);
    }
  }
  return starts;
}

void check_spread(const StartSpread& spread) {
  const auto is_sane = [](double value) { return value >= 0 && std::isfinite(value); };
  if (!is_sane(spread.scale.count()) || !is_sane(spread.sigma) || !is_sane(spread.share) ||
      spread.share > 1) {
    throw InvalidInput(
        "the spread of the ranks' starts needs a finite scale and sigma of zero or more, and a "
        "share from 0 to 1");
  }
}

}  // namespace switchyard
