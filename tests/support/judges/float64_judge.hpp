// A judge of routers that shares no arithmetic with them: float64, std::exp and a stable sort. And
// the rows that it is asked about: ties, NaN, infinities, both zeros, all equal, too few valid.
//
// Scores that come from float32 arithmetic are judged with a slack for its rounding; scores that
// are exactly equal in float64 come from equal inputs, so among them the lower index must win.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard::judge {

using Scores = std::vector<double>;

/// How far float32 may be off, in a comparison with `score`.
struct Slack {
  double relative = 0;
  double absolute = 0;

  [[nodiscard]] double of(double score) const;
};

/// Probabilities: exp and sigmoid are within 3 ulp, sums and quotients add a few more.
inline constexpr Slack kOfProbability{4e-6, 1e-37};
/// Sums of a few logits of single digits.
inline constexpr Slack kOfLogit{0, 1e-5};
inline constexpr Slack kNone{};

/// [tokens, experts]; the kinds of rows take turns, an ordinary one first.
Matrix<float> corner_logits(std::size_t tokens, std::size_t experts, std::uint64_t seed);

Scores scores_of(std::span<const float> row);

/// NaN and -infinity are no candidates.
bool is_valid(double score);

/// The valid ones, best first, ties by index.
std::vector<std::int32_t> in_order(const Scores& scores);

/// Softmax over `members`; others, and all where nothing is valid, weigh 0. Several +infinity
/// share.
Scores softmax(const Scores& logits, const std::vector<std::int32_t>& members);

/// Over all valid ones.
Scores softmax(const Scores& logits);

/// 1 / (1 + exp(-x)); -infinity for what is not valid.
Scores sigmoid(const Scores& logits);

/// `ids` are the best ids.size() of `scores` in order, with empty places last.
void expect_best(const Scores& scores, std::span<const std::int32_t> ids, const Slack& slack);

/// The candidates that are taken are the `capacity` best, in any order.
void expect_taken(const Scores& scores,
                  const std::vector<bool>& taken,
                  std::size_t capacity,
                  const Slack& slack);

/// weights[slot] = expected[ids[slot]], 0 in empty places.
void expect_weights(std::span<const std::int32_t> ids,
                    std::span<const float> weights,
                    const Scores& expected,
                    const Slack& slack = kOfProbability);

}  // namespace switchyard::judge
