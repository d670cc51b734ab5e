// logits = (hidden .* weights) x gate^T in float32 with one fixed order of sums. A warp makes 4 x 8
// logits: its lanes share out the coordinates, so that rows are read whole and each value loaded
// serves 8 or 4 products, and 31 shuffles bring the 32 sums each to a lane of its own.
#pragma once

#include "kernels/device/executor.cuh"
#include "kernels/hidden/ordered_projection_launch.hpp"

namespace switchyard {

/// Half the sums go to the lane `kDistance` away, whose other half comes here.
template <int kDistance>
SWITCHYARD_DEVICE void halve_lane_sums(float (&values)[kWarpLanes], int lane) {
  const bool is_upper = (lane & kDistance) != 0;
  SWITCHYARD_UNROLL
  for (int item = 0; item < kDistance; ++item) {
    const float kept = is_upper ? values[item + kDistance] : values[item];
    const float given = is_upper ? values[item] : values[item + kDistance];
    values[item] = add_rounded(kept, __shfl_xor_sync(kFullWarp, given, kDistance));
  }
  if constexpr (kDistance > 1) {
    halve_lane_sums<kDistance / 2>(values, lane);
  }
}

/// The order's second half for 32 sums at once: lane l gets the sum over all lanes of values[l].
SWITCHYARD_DEVICE float gather_lane_sums(float (&values)[kWarpLanes], int lane) {
  halve_lane_sums<kWarpLanes / 2>(values, lane);
  return values[0];
}

/// Weights of one token, coordinate by coordinate.
template <TokenWeighing kWeighing>
struct TokenWeights {
  const float* row = nullptr;  ///< by cluster: its weights, or any row where it has no cluster
  bool has_cluster = false;    ///< else every weight is 1
  std::int32_t first = -1;     ///< by mixture: its place in `labels` and `shares`; < 0: 1

  SWITCHYARD_DEVICE TokenWeights(const ProjectionArguments& arguments, std::int32_t token) {
    if constexpr (kWeighing != TokenWeighing::None) {
      const std::int32_t place = token * arguments.slots;
      const std::int32_t label = arguments.labels[place];
      has_cluster = label >= 0;
      row =
          arguments.weights + static_cast<std::int64_t>(has_cluster ? label : 0) * arguments.width;
      first = has_cluster ? place : -1;
    }
  }

  SWITCHYARD_DEVICE float of(const ProjectionArguments& arguments, std::int32_t at) const {
    if constexpr (kWeighing == TokenWeighing::ByMixture) {
      if (first < 0) {
        return 1.0F;
      }
      float mixture = 0.0F;
      for (std::int32_t slot = 0; slot < arguments.slots; ++slot) {
        const std::int32_t label = arguments.labels[first + slot];
        if (label >= 0) {
          const float weight =
              arguments.weights[static_cast<std::int64_t>(label) * arguments.width + at];
          mixture = add_rounded(mixture, multiply_rounded(arguments.shares[first + slot], weight));
        }
      }
      return mixture;
    } else {
      const float weight = row[at];  // without a condition: loads of several tokens overlap
      return has_cluster ? weight : 1.0F;
    }
  }
};

/// Body of a kernel of kProjectWarps warps.
template <TokenWeighing kWeighing>
SWITCHYARD_DEVICE void project_of_block(const ProjectionArguments& arguments) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const auto warp = static_cast<std::int32_t>(threadIdx.x) / kWarpLanes;
  const auto block = static_cast<std::int32_t>(blockIdx.x);
  const std::int32_t first_token =
      (block % arguments.token_blocks * kProjectWarps + warp) * kProjectTokens;
  const std::int32_t first_expert = block / arguments.token_blocks * kProjectExperts;
  if (first_token >= arguments.tokens) {
    return;
  }
  // Rows that do not exist are read as the last one and not written.
  const auto hidden_row = [&](int item) {
    const std::int32_t token = first_token + item;
    return token < arguments.tokens ? token : arguments.tokens - 1;
  };
  const float* hidden[kProjectTokens];
  const float* gate[kProjectExperts];
  SWITCHYARD_UNROLL
  for (int item = 0; item < kProjectTokens; ++item) {
    hidden[item] = arguments.hidden + static_cast<std::int64_t>(hidden_row(item)) * arguments.width;
  }
  SWITCHYARD_UNROLL
  for (int item = 0; item < kProjectExperts; ++item) {
    const std::int32_t expert = first_expert + item;
    const std::int32_t row = expert < arguments.experts ? expert : arguments.experts - 1;
    gate[item] = arguments.gate + static_cast<std::int64_t>(row) * arguments.width;
  }
  const TokenWeights<kWeighing> weights[kProjectTokens] = {{arguments, hidden_row(0)},
                                                           {arguments, hidden_row(1)},
                                                           {arguments, hidden_row(2)},
                                                           {arguments, hidden_row(3)}};
  float sums[kWarpLanes] = {};
  for (std::int32_t at = lane; at < arguments.width; at += kWarpLanes) {
    float values[kProjectTokens];
    SWITCHYARD_UNROLL
    for (int item = 0; item < kProjectTokens; ++item) {
      values[item] = hidden[item][at];
      if constexpr (kWeighing != TokenWeighing::None) {
        values[item] = multiply_rounded(values[item], weights[item].of(arguments, at));
      }
    }
    SWITCHYARD_UNROLL
    for (int expert = 0; expert < kProjectExperts; ++expert) {
      const float factor = gate[expert][at];
      SWITCHYARD_UNROLL
      for (int item = 0; item < kProjectTokens; ++item) {
        float& sum = sums[item * kProjectExperts + expert];
        sum = multiply_add_rounded(values[item], factor, sum);
      }
    }
  }
  __syncwarp();
  const float logit = gather_lane_sums(sums, lane);
  const std::int32_t token = first_token + lane / kProjectExperts;
  const std::int32_t expert = first_expert + lane % kProjectExperts;
  if (token < arguments.tokens && expert < arguments.experts) {
    arguments.logits[static_cast<std::int64_t>(token) * arguments.experts + expert] = logit;
  }
}

SWITCHYARD_DEVICE bool is_finite_logit(float logit) {
  return (bits_of_float(logit) & 0x7F800000U) != 0x7F800000U;
}

/// Body of a kernel of kProjectWarps warps, one token a warp.
SWITCHYARD_DEVICE void replace_non_finite_of_block(const FiniteArguments& arguments) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const std::int32_t token = static_cast<std::int32_t>(blockIdx.x) * kProjectWarps +
                             static_cast<std::int32_t>(threadIdx.x) / kWarpLanes;
  if (token >= arguments.tokens) {
    return;
  }
  float* const row = arguments.logits + static_cast<std::int64_t>(token) * arguments.experts;
  // The least finite number has the greatest inverted key; 0 stays where there is none.
  std::uint32_t best = 0;
  for (std::int32_t expert = lane; expert < arguments.experts; expert += kWarpLanes) {
    const std::uint32_t key = is_finite_logit(row[expert]) ? ~order_key(row[expert]) : 0U;
    best = key > best ? key : best;
  }
  best = __reduce_max_sync(kFullWarp, best);
  const float least = best == 0 ? 0.0F : score_of_order_key(~best);
  for (std::int32_t expert = lane; expert < arguments.experts; expert += kWarpLanes) {
    if (!is_finite_logit(row[expert])) {
      row[expert] = least;
    }
  }
}

}  // namespace switchyard
