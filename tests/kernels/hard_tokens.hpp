// Everything a router may ask for, with logits that hold ties, NaN, infinities and rows without any
// valid expert: for tests that hold every router to a rule.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/kernels/router_fixture.hpp"

namespace switchyard {

namespace hard_logits {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Rows cycle through ordinary logits, ties, NaN, infinities, all equal, and nothing valid.
inline float strange_logit(std::size_t kind, RandomStream& random) {
  const auto value = static_cast<float>(random.normal());
  switch (kind) {
    case 3:
      return std::round(value);
    case 4:
      return random.index(4) == 0 ? kNan : value;
    case 5:
      return random.index(3) == 0 ? kInfinity : (random.index(3) == 0 ? -kInfinity : value);
    case 6:
      return 0.5F;
    case 7:
      return random.index(2) == 0 ? kNan : -kInfinity;
    default:
      return value;
  }
}

}  // namespace hard_logits

/// Everything a router may ask for, for one chunk of tokens.
struct HardTokens {
  Matrix<float> hidden, gate, logits;
  std::vector<std::uint8_t> modality;
  std::vector<std::int64_t> token_ids, sequence_ids;

  HardTokens(std::size_t count, std::size_t experts, std::size_t width, std::uint64_t seed)
      : hidden(normal_matrix(count, width, seed)),
        gate(normal_matrix(experts, width, seed + 1)),
        logits(count, experts) {
    RandomStream random(seed, {2});
    for (std::size_t token = 0; token < count; ++token) {
      for (float& logit : logits.row(token)) {
        logit = hard_logits::strange_logit(token % 8, random);
      }
      modality.push_back(static_cast<std::uint8_t>(token % 3 == 0));
      token_ids.push_back(static_cast<std::int64_t>(random.index(50000)));
      sequence_ids.push_back(static_cast<std::int64_t>(token / 10));
    }
  }

  [[nodiscard]] RouterInput input(std::int64_t layer, const RoutingDecision* previous) const {
    return {.logits = logits.view(),
            .hidden = hidden.view(),
            .gate = gate.view(),
            .previous_layer = previous,
            .modality = modality,
            .token_ids = token_ids,
            .sequence_ids = sequence_ids,
            .layer = layer,
            .seed = 17};
  }
};

}  // namespace switchyard
