// Kernels of Sinkhorn-balanced routing: the table of shares, two for each round of scaling, and the
// rows of the balanced matrix.
#include "kernels/device/score_table.cuh"
#include "kernels/routers/sinkhorn.hpp"

namespace switchyard {

struct SinkhornShare : RowPolicy {
  static constexpr bool kUsesSoftmax = true;

  static SWITCHYARD_DEVICE float score(const RowArguments& /*arguments*/,
                                       const RowToken& row,
                                       std::int32_t /*expert*/,
                                       float logit) {
    return row.logits.probability(logit);
  }
};

struct Sinkhorn : RowPolicy {
  static constexpr bool kUsesSoftmax = true;

  /// Where exp(logit) has vanished the logarithm still orders the experts.
  static SWITCHYARD_DEVICE float score(const RowArguments& arguments,
                                       const RowToken& /*row*/,
                                       std::int32_t expert,
                                       float logit) {
    return add_rounded(logit, arguments.expert_terms[expert]);
  }

  template <int kSlotTier>
  static SWITCHYARD_DEVICE float weigh(const RowArguments& arguments,
                                       const RowToken& row,
                                       const RowChoice& choice) {
    // Without a branch, which would make the largest kernel spill: idle lanes read the row's first.
    const std::int64_t row_start = static_cast<std::int64_t>(row.token) * arguments.experts;
    return row.logits.probability(
        arguments.logits[row_start + (choice.is_chosen ? choice.expert : 0)]);
  }
};

struct TokenInverses {
  float of[kSinkhornTokens];
};

/// First half of a round: one block for each chunk of tokens, one thread for each token, then one
/// warp for each expert in turn.
SWITCHYARD_KERNEL(switchyard_sinkhorn_tokens, SinkhornArguments, kSinkhornTokens) {
  SWITCHYARD_SHARED(TokenInverses, inverse);
  if (*arguments.is_balanced != 0) {
    return;
  }
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  const int lane = thread % kWarpLanes;
  const auto chunk = static_cast<std::int32_t>(blockIdx.x);
  const std::int32_t first = chunk * kSinkhornTokens;
  const std::int32_t token = first + thread;
  float row = 0.0F;
  if (token < arguments.tokens) {
    for (std::int32_t expert = 0; expert < arguments.experts; ++expert) {
      const std::int64_t at = static_cast<std::int64_t>(expert) * arguments.tokens + token;
      row = add_rounded(row, multiply_rounded(arguments.share[at], arguments.scale[expert]));
    }
  }
  inverse.of[thread] = inverse_of_row(row);
  __syncthreads();
  if (thread < kWarpLanes) {
    std::uint32_t counted = 0;
    for (int at = lane; at < kSinkhornTokens; at += kWarpLanes) {
      counted += inverse.of[at] > 0.0F ? 1U : 0U;
    }
    counted = __reduce_add_sync(kFullWarp, counted);
    if (lane == 0) {
      arguments.counted[chunk] = static_cast<std::int32_t>(counted);
    }
  }
  for (std::int32_t expert = thread / kWarpLanes; expert < arguments.experts;
       expert += kSinkhornTokens / kWarpLanes) {
    const float* const column =
        arguments.share + static_cast<std::int64_t>(expert) * arguments.tokens;
    float sums[kSinkhornTokens / kWarpLanes];
    SWITCHYARD_UNROLL
    for (int part = 0; part < kSinkhornTokens / kWarpLanes; ++part) {
      const int in_chunk = part * kWarpLanes + lane;
      const float share = first + in_chunk < arguments.tokens ? column[first + in_chunk] : 0.0F;
      sums[part] = lanes_sum<kWarpLanes>(multiply_rounded(share, inverse.of[in_chunk]));
    }
    if (lane == 0) {
      arguments.column_sums[static_cast<std::int64_t>(chunk) * arguments.experts + expert] =
          add_rounded(add_rounded(sums[0], sums[1]), add_rounded(sums[2], sums[3]));
    }
  }
}

struct ChangeTerms {
  float of[kRowMaxExperts];
};

/// Balanced tree over kRowMaxExperts terms in shared memory. All threads call.
SWITCHYARD_DEVICE float sum_of_terms(ChangeTerms& terms) {
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  for (std::int32_t distance = 1; distance < kRowMaxExperts; distance *= 2) {
    __syncthreads();
    for (std::int32_t at = thread * 2 * distance; at < kRowMaxExperts;
         at += kSinkhornScaleThreads * 2 * distance) {
      terms.of[at] = add_rounded(terms.of[at], terms.of[at + distance]);
    }
  }
  __syncthreads();
  return terms.of[0];
}

/// Second half of a round: one block.
SWITCHYARD_KERNEL(switchyard_sinkhorn_experts, SinkhornArguments, kSinkhornScaleThreads) {
  SWITCHYARD_SHARED(ChangeTerms, terms);
  if (*arguments.is_balanced != 0) {
    return;
  }
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  const std::int32_t chunks = (arguments.tokens + kSinkhornTokens - 1) / kSinkhornTokens;
  std::int32_t counted = 0;
  for (std::int32_t chunk = 0; chunk < chunks; ++chunk) {
    counted += arguments.counted[chunk];
  }
  const float fair =
      divide_rounded(static_cast<float>(counted), static_cast<float>(arguments.experts));
  for (std::int32_t expert = thread; expert < kRowMaxExperts; expert += kSinkhornScaleThreads) {
    terms.of[expert] = 0.0F;
    if (expert < arguments.experts) {
      float column = 0.0F;
      for (std::int32_t chunk = 0; chunk < chunks; ++chunk) {
        const std::int64_t at = static_cast<std::int64_t>(chunk) * arguments.experts + expert;
        column = add_rounded(column, arguments.column_sums[at]);
      }
      const float scale = arguments.scale[expert];
      const float next = next_scale(scale, column, fair);
      terms.of[expert] = relative_change(scale, next);
      arguments.scale[expert] = next;
      arguments.log_scale[expert] = log_reproducible(next);
    }
  }
  const float change = sum_of_terms(terms);
  if (thread == 0 && change <= arguments.most_change) {
    *arguments.is_balanced = 1;
  }
}

SWITCHYARD_SCORE_TABLE(sinkhorn, SinkhornShare)
SWITCHYARD_ROW_ROUTER(sinkhorn, Sinkhorn)

}  // namespace switchyard
