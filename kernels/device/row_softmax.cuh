// Softmax over a whole row that lies in the registers of a token's lanes, with the sum in the order
// of the rule "sums" of router_math.cuh.
#pragma once

#include "kernels/device/logit_row.cuh"
#include "kernels/device/row_router.hpp"
#include "kernels/device/selection_key.cuh"
#include "kernels/device/warp_top_k.cuh"

namespace switchyard {

/// Sum over all experts of the values in registers. The values are spoilt.
template <typename Layout>
SWITCHYARD_DEVICE float row_sum(float (&terms)[Layout::kPerLane]) {
  // Neighbouring experts first: inside a vector, then over lanes, then over chunks.
  float chunk_sums[Layout::kChunks];
  SWITCHYARD_UNROLL
  for (int chunk = 0; chunk < Layout::kChunks; ++chunk) {
    SWITCHYARD_UNROLL
    for (int distance = 1; distance < Layout::kVector; distance *= 2) {
      SWITCHYARD_UNROLL
      for (int item = 0; item < Layout::kVector; item += 2 * distance) {
        float* const pair = terms + chunk * Layout::kVector + item;
        pair[0] = add_rounded(pair[0], pair[distance]);
      }
    }
    chunk_sums[chunk] = lanes_sum<Layout::kLanes>(terms[chunk * Layout::kVector]);
  }
  SWITCHYARD_UNROLL
  for (int distance = 1; distance < Layout::kChunks; distance *= 2) {
    SWITCHYARD_UNROLL
    for (int chunk = 0; chunk < Layout::kChunks; chunk += 2 * distance) {
      chunk_sums[chunk] = add_rounded(chunk_sums[chunk], chunk_sums[chunk + distance]);
    }
  }
  return chunk_sums[0];
}

/// Sum over all experts of exp(logit - top), the denominator of the full softmax.
template <typename Layout>
SWITCHYARD_DEVICE float full_softmax_sum(const float (&logits)[Layout::kPerLane], float top) {
  float terms[Layout::kPerLane];
  SWITCHYARD_UNROLL
  for (int item = 0; item < Layout::kPerLane; ++item) {
    terms[item] = is_valid_score(logits[item]) ? exp_below_top(logits[item], top) : 0.0F;
  }
  return row_sum<Layout>(terms);
}

/// The softmax of a row: probability(x) = exp(x - top) / sum.
struct RowSoftmax {
  float top;
  float sum;  ///< 0: no logit is valid

  SWITCHYARD_DEVICE float probability(float logit) const {
    const float term = is_valid_score(logit) ? exp_below_top(logit, top) : 0.0F;
    return sum > 0.0F ? divide_rounded(term, sum) : 0.0F;
  }
};

template <typename Layout>
SWITCHYARD_DEVICE RowSoftmax softmax_of_row(const float (&logits)[Layout::kPerLane]) {
  std::uint32_t best = 0;
  SWITCHYARD_UNROLL
  for (int item = 0; item < Layout::kPerLane; ++item) {
    const std::uint32_t key = order_key(logits[item]);
    best = key > best ? key : best;
  }
  const std::uint32_t top = lanes_maximum<Layout::kLanes>(best);
  RowSoftmax softmax{score_of_order_key(top), 0.0F};
  softmax.sum = full_softmax_sum<Layout>(logits, softmax.top);
  return softmax;
}

/// The logits of a token in the order of RowLayout::expert; NaN where there is no expert, and
/// everywhere if none are read.
template <typename Layout, bool kReads>
SWITCHYARD_DEVICE void load_logits(const RowArguments& arguments,
                                   std::int32_t token,
                                   bool exists,
                                   int lane,
                                   float (&logits)[Layout::kPerLane]) {
  std::uint32_t words[Layout::kWords];
  if constexpr (kReads) {
    load_row<Layout>(arguments.logits + static_cast<std::int64_t>(token) * arguments.experts,
                     exists ? arguments.experts : 0,
                     lane,
                     arguments.has_vector_rows,
                     words);
    logit_values<Layout, float>(words, logits);
  } else {
    SWITCHYARD_UNROLL
    for (int item = 0; item < Layout::kPerLane; ++item) {
      logits[item] = float_of_bits(kNotANumberBits);
    }
  }
}

}  // namespace switchyard
