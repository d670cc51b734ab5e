// Routers that look at one row of float logits at a time share one kernel frame
// (kernels/device/row_router.cuh) and this host side. Each gives a policy in its own .cu file and
// fills in those parameters here that its policy reads.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/device/router_math.cuh"

namespace switchyard {

/// From expert-side selection (kernels/device/token_thresholds.cuh): a token is taken if its score
/// is above the threshold, or equal to it and the token's index not above `last_token`.
struct TokenThreshold {
  std::uint32_t key;  ///< order_key() of the last score taken; 0xFFFFFFFF: none is
  std::int32_t last_token;
};

SWITCHYARD_HOST_DEVICE bool is_taken(const TokenThreshold& threshold,
                                     float score,
                                     std::int32_t token) {
  const std::uint32_t key = order_key(score);
  return key > threshold.key || (key == threshold.key && token <= threshold.last_token);
}

/// Kernel arguments; device pointers. The lower half means what the router's policy says, and is
/// left alone by others.
struct RowArguments {
  const float* logits = nullptr;       ///< [tokens, experts] row-major
  std::int32_t* expert_ids = nullptr;  ///< [tokens, slots] out
  float* gate_weights = nullptr;       ///< [tokens, slots] out
  std::int32_t tokens = 0;
  std::int32_t experts = 0;
  std::int32_t slots = 0;
  std::int32_t tokens_per_warp = 1;  ///< from the plan; no influence on results
  bool has_vector_rows = false;      ///< rows start and end at multiples of 16 bytes

  bool is_renormalised = false;
  float scale = 1.0F;
  float threshold = 0.0F;
  std::uint64_t key = 0;                              ///< of the chunk's random numbers
  const float* expert_terms = nullptr;                ///< [experts]
  const TokenThreshold* expert_thresholds = nullptr;  ///< [experts]
  const std::uint8_t* modality = nullptr;             ///< [tokens]
  std::int32_t text_experts = 0;                      ///< experts of modality 0, the first ones
  const float* token_scores = nullptr;                ///< [tokens]
  const TokenThreshold* token_threshold = nullptr;    ///< one, for token_scores
  const std::int64_t* token_ids = nullptr;            ///< [tokens]
  std::uint8_t* alive = nullptr;                      ///< [tokens] out
  float* table = nullptr;                             ///< [experts, tokens] out
};

inline constexpr std::int32_t kRowWarps = 4;  ///< warps of a block
inline constexpr std::int32_t kRowMaxExperts = 1024;
inline constexpr std::int32_t kRowMaxSlots = 32;

// Each router is compiled for three sizes: X(room for experts, room for slots).
#define SWITCHYARD_ROW_SIZES(X, ...) \
  X(64, 8, __VA_ARGS__) X(256, 8, __VA_ARGS__) X(1024, 32, __VA_ARGS__)

struct RowPlan {
  std::int32_t expert_tier = 0;
  std::int32_t slot_tier = 0;
  std::int32_t tokens_per_warp = 1;
  std::int32_t blocks = 0;
};

/// For up to kRowMaxExperts experts and kRowMaxSlots slots.
constexpr RowPlan plan_rows(std::int32_t tokens,
                            std::int32_t experts,
                            std::int32_t slots,
                            std::int32_t multiprocessors) {
  constexpr std::int32_t kMostTokensOfWarp = 8;
  RowPlan plan;
  plan.slot_tier = slots <= 8 && experts <= 256 ? 8 : 32;
  plan.expert_tier = plan.slot_tier == 32 ? 1024 : experts <= 64 ? 64 : 256;
  // Few tokens: one step for each warp, spread over the device. Many: longer runs.
  plan.tokens_per_warp = plan.expert_tier == 64 ? 4 : 1;
  while (plan.tokens_per_warp < kMostTokensOfWarp &&
         tokens / (plan.tokens_per_warp * kRowWarps) > 8 * multiprocessors) {
    plan.tokens_per_warp *= 2;
  }
  const std::int32_t tokens_of_block = plan.tokens_per_warp * kRowWarps;
  plan.blocks = tokens / tokens_of_block + (tokens % tokens_of_block == 0 ? 0 : 1);
  return plan;
}

}  // namespace switchyard
