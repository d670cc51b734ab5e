#include "tests/support/judges/float64_judge.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "core/numbers/random.hpp"

namespace switchyard::judge {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

enum class RowKind : std::uint8_t {
  Ordinary,
  Ties,
  AllEqual,
  Nans,
  Infinities,
  Masked,
  Zeros,
  Empty,
  Count
};

float corner_logit(RowKind kind, RandomStream& random) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const auto normal = static_cast<float>(2.0 * random.normal());
  const auto chance = [&random](std::size_t one_in) { return random.index(one_in) == 0; };
  switch (kind) {
    case RowKind::Ties:
      return std::round(normal);
    case RowKind::AllEqual:
      return 0.75F;
    case RowKind::Nans:
      return chance(4) ? kNan : normal;
    case RowKind::Infinities:
      return chance(9) ? kInf : (chance(3) ? -kInf : normal);
    case RowKind::Masked:
      return chance(16) ? normal : (chance(2) ? -kInf : kNan);
    case RowKind::Zeros:
      return chance(2) ? 0.0F : -0.0F;
    case RowKind::Empty:
      return chance(2) ? kNan : -kInf;
    default:
      return normal;
  }
}

}  // namespace

double Slack::of(double score) const {
  return std::isfinite(score) ? relative * std::fabs(score) + absolute : 0.0;
}

Matrix<float> corner_logits(std::size_t tokens, std::size_t experts, std::uint64_t seed) {
  Matrix<float> logits(tokens, experts);
  RandomStream random(seed, {tokens, experts});
  for (std::size_t token = 0; token < tokens; ++token) {
    const auto kind = static_cast<RowKind>(token % static_cast<std::size_t>(RowKind::Count));
    for (float& logit : logits.row(token)) {
      logit = corner_logit(kind, random);
    }
  }
  return logits;
}

Scores scores_of(std::span<const float> row) {
  return {row.begin(), row.end()};
}

bool is_valid(double score) {
  return score > -kInfinity;
}

std::vector<std::int32_t> in_order(const Scores& scores) {
  std::vector<std::int32_t> order;
  for (std::size_t at = 0; at < scores.size(); ++at) {
    if (is_valid(scores[at])) {
      order.push_back(static_cast<std::int32_t>(at));
    }
  }
  std::stable_sort(order.begin(), order.end(), [&scores](std::int32_t a, std::int32_t b) {
    return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
  });
  return order;
}

Scores softmax(const Scores& logits, const std::vector<std::int32_t>& members) {
  Scores shares(logits.size(), 0.0);
  double top = -kInfinity;
  for (const std::int32_t member : members) {
    top = std::max(top, logits[static_cast<std::size_t>(member)]);
  }
  double sum = 0;
  for (const std::int32_t member : members) {
    const double logit = logits[static_cast<std::size_t>(member)];
    const double share = logit == top ? 1.0 : std::exp(logit - top);
    shares[static_cast<std::size_t>(member)] = share;
    sum += share;
  }
  for (double& share : shares) {
    share = sum > 0 ? share / sum : 0.0;
  }
  return shares;
}

Scores softmax(const Scores& logits) {
  return softmax(logits, in_order(logits));
}

Scores sigmoid(const Scores& logits) {
  Scores shares;
  for (const double logit : logits) {
    shares.push_back(is_valid(logit) ? 1.0 / (1.0 + std::exp(-logit)) : -kInfinity);
  }
  return shares;
}

void expect_taken(const Scores& scores,
                  const std::vector<bool>& taken,
                  std::size_t capacity,
                  const Slack& slack) {
  const std::size_t valid = in_order(scores).size();
  EXPECT_EQ(static_cast<std::size_t>(std::count(taken.begin(), taken.end(), true)),
            std::min(capacity, valid));
  for (std::size_t in = 0; in < taken.size(); ++in) {
    if (!taken[in]) {
      continue;
    }
    EXPECT_TRUE(is_valid(scores[in])) << in << " cannot be chosen";
    for (std::size_t out = 0; out < taken.size(); ++out) {
      if (taken[out] || !is_valid(scores[out])) {
        continue;
      }
      EXPECT_GE(scores[in], scores[out] - slack.of(scores[out])) << in << " beat " << out;
      EXPECT_FALSE(scores[in] == scores[out] && out < in) << in << " beat its equal " << out;
    }
  }
}

void expect_best(const Scores& scores, std::span<const std::int32_t> ids, const Slack& slack) {
  std::vector<bool> taken(scores.size(), false);
  for (std::size_t slot = 0; slot < ids.size(); ++slot) {
    if (ids[slot] == kNoExpert) {
      continue;
    }
    const auto expert = static_cast<std::size_t>(ids[slot]);
    ASSERT_LT(expert, scores.size());
    EXPECT_FALSE(taken[expert]) << "twice";
    taken[expert] = true;
    if (slot == 0) {
      continue;
    }
    ASSERT_NE(ids[slot - 1], kNoExpert) << "an empty place before slot " << slot;
    const auto before = static_cast<std::size_t>(ids[slot - 1]);
    EXPECT_GE(scores[before], scores[expert] - slack.of(scores[expert])) << "slot " << slot;
    EXPECT_FALSE(scores[before] == scores[expert] && expert < before) << "slot " << slot;
  }
  expect_taken(scores, taken, ids.size(), slack);
}

void expect_weights(std::span<const std::int32_t> ids,
                    std::span<const float> weights,
                    const Scores& expected,
                    const Slack& slack) {
  for (std::size_t slot = 0; slot < ids.size(); ++slot) {
    const double weight =
        ids[slot] == kNoExpert ? 0.0 : expected[static_cast<std::size_t>(ids[slot])];
    EXPECT_NEAR(weights[slot], weight, slack.of(weight)) << "slot " << slot;
  }
}

}  // namespace switchyard::judge
