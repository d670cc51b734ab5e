// Row-wise softmax and sigmoid with the same bits on every executor (kernels/device/
// router_math.cuh): NaN and -infinity weigh nothing, several +infinity share equally.
#pragma once

#include <cstdint>
#include <span>

namespace switchyard {

/// Softmax over a whole row; all zero if no logit is valid. `probabilities` may be `logits` itself.
void softmax_row(std::span<const float> logits, std::span<float> probabilities);

/// Softmax over the chosen experts only, as if the others did not exist. `ids` hold the best first,
/// kNoExpert (weight 0) last.
void softmax_of_chosen(std::span<const float> logits,
                       std::span<const std::int32_t> ids,
                       std::span<float> weights);

/// Weights of the chosen experts in the softmax over all of them. `ids` as above.
void softmax_of_all(std::span<const float> logits,
                    std::span<const std::int32_t> ids,
                    std::span<float> weights);

/// Logistic function of each score; NaN stays NaN.
void sigmoid_row(std::span<const float> scores, std::span<float> probabilities);

/// Scores of the chosen experts as they are; 0 for kNoExpert.
void take_chosen(std::span<const float> scores,
                 std::span<const std::int32_t> ids,
                 std::span<float> weights);

/// Divides by the sum (rule "sums"); leaves rows that sum to 0 as they are.
void normalise_row(std::span<float> weights);

}  // namespace switchyard
