#include "sim/offload/slot_split.hpp"

#include <algorithm>
#include <limits>

namespace switchyard {
namespace {

// P(m of j distinct uniform experts are missing) for m = 0..j, drawn one by one.
std::vector<double> missing_distribution(std::size_t experts, std::size_t slots, std::size_t j) {
  std::vector<double> probability(j + 1, 0);
  probability[0] = 1;
  const auto uncached = static_cast<double>(experts - slots);
  for (std::size_t drawn = 0; drawn < j; ++drawn) {
    const auto left = static_cast<double>(experts - drawn);
    for (std::size_t m = drawn + 1; m-- > 0;) {
      const double is_missing = std::max(0.0, uncached - static_cast<double>(m)) / left;
      probability[m + 1] += probability[m] * is_missing;
      probability[m] *= 1 - is_missing;
    }
  }
  return probability;
}

}  // namespace

double expected_loads(const LayerDemand& demand, std::size_t experts, std::size_t slots) {
  double loads = 0;
  for (std::size_t j = 1; j < demand.choices.size(); ++j) {
    const std::vector<double> missing =
        missing_distribution(experts, std::min(slots, experts), std::min(j, experts));
    for (std::size_t m = 1; m < missing.size(); ++m) {
      const auto saved = static_cast<double>(std::min(m, demand.prefetched));
      loads += demand.choices[j] * missing[m] * (static_cast<double>(m) - demand.accuracy * saved);
    }
  }
  return loads;
}

Matrix<double> measured_loads(const AccessStream& stream) {
  Matrix<double> loads(stream.layers, stream.experts + 1, 0);
  std::vector<std::vector<std::uint32_t>> recent(stream.layers);  // newest first
  for (std::size_t visit = 0; visit < stream.visits(); ++visit) {
    const std::size_t layer = visit % stream.layers;
    std::vector<std::uint32_t>& order = recent[layer];
    for (const ExpertDemand& use : stream.visit(visit / stream.layers, layer)) {
      auto found = std::find(order.begin(), order.end(), use.expert);
      const bool is_new = found == order.end();
      // Caches up to the distance miss it; a first use misses in all.
      const std::size_t distance =
          is_new ? stream.experts : static_cast<std::size_t>(found - order.begin());
      ++loads(layer, distance);
      if (is_new) {
        order.push_back(use.expert);
        found = order.end() - 1;
      }
      std::rotate(order.begin(), found, found + 1);
    }
  }
  for (std::size_t layer = 0; layer < stream.layers; ++layer) {
    for (std::size_t slots = stream.experts; slots-- > 0;) {
      loads(layer, slots) += loads(layer, slots + 1);
    }
  }
  return loads;
}

std::vector<std::size_t> split_slots(const Matrix<double>& costs, std::size_t budget) {
  constexpr double kNoWay = std::numeric_limits<double>::infinity();
  const std::size_t layers = costs.rows();
  std::vector<double> best(budget + 1, 0);  // of the layers so far, by slots spent at most
  Matrix<std::size_t> choice(layers, budget + 1, 0);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    std::vector<double> next(budget + 1, kNoWay);
    for (std::size_t spent = 0; spent <= budget; ++spent) {
      const std::size_t most = std::min(spent, costs.columns() - 1);
      for (std::size_t slots = 0; slots <= most; ++slots) {
        const double cost = best[spent - slots] + costs(layer, slots);
        if (cost < next[spent]) {
          next[spent] = cost;
          choice(layer, spent) = slots;
        }
      }
    }
    best = std::move(next);
  }
  std::vector<std::size_t> answer(layers, 0);
  std::size_t left = budget;
  for (std::size_t layer = layers; layer-- > 0;) {
    answer[layer] = choice(layer, left);
    left -= answer[layer];
  }
  return answer;
}

std::vector<std::size_t> equal_slots(std::size_t layers, std::size_t budget) {
  std::vector<std::size_t> slots(layers, layers > 0 ? budget / layers : 0);
  for (std::size_t layer = 0; layer < layers && layer < budget % layers; ++layer) {
    ++slots[layer];
  }
  return slots;
}

}  // namespace switchyard
