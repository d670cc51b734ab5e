#include "sim/offload/prediction.hpp"

#include <algorithm>

#include "core/numbers/mix_bits.hpp"

namespace switchyard {
namespace {

// Uniform in [0, 1), one number for each (seed, index).
double uniform(std::uint64_t seed, std::uint64_t index) {
  constexpr double kScale = 1.0 / 9007199254740992.0;  // 2^-53
  return static_cast<double>(mix_bits(seed, index) >> 11U) * kScale;
}

bool contains(std::span<const ExpertDemand> uses, std::uint32_t expert) {
  return std::any_of(
      uses.begin(), uses.end(), [expert](const ExpertDemand& use) { return use.expert == expert; });
}

}  // namespace

double PrefetchRule::accuracy_of(std::size_t layer, std::size_t distance) const {
  if (distance <= known_ahead) {
    return 1;
  }
  return by_layer.empty() ? accuracy[distance - 1] : by_layer[layer];
}

void predict(std::span<const ExpertDemand> truth,
             std::size_t experts,
             double accuracy,
             bool errs_by_layer,
             std::uint64_t seed,
             std::vector<ExpertDemand>& predicted) {
  predicted.clear();
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (uniform(seed, errs_by_layer ? 0 : 2 * i) < accuracy) {
      predicted.push_back(truth[i]);
      continue;
    }
    const std::uint64_t first = mix_bits(seed, 2 * i + 1) % experts;
    for (std::size_t step = 0; step < experts; ++step) {
      const auto wrong = static_cast<std::uint32_t>((first + step) % experts);
      if (!contains(truth, wrong) && !contains(predicted, wrong)) {
        predicted.push_back({.expert = wrong, .tokens = truth[i].tokens, .need = truth[i].need});
        break;
      }
    }
  }
}

}  // namespace switchyard
