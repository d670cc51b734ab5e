// What the group-limited top-k kernels take and which of them serves a shape. Shared by host and
// device code, so it is free of CUDA.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/device/router_math.cuh"
#include "kernels/routers/top_k_launch.hpp"

namespace switchyard {

// clang-format off
// One line for each compiled kernel: X(tag in the name, logit type, experts a lane holds).
#define SWITCHYARD_GROUP_TOP_K_KERNELS(X)                    \
  X(f32, float, 4)     X(f32, float, 8)     X(f32, float, 16)     \
  X(bf16, Bfloat16, 4) X(bf16, Bfloat16, 8) X(bf16, Bfloat16, 16) \
  X(f16, Half, 4)      X(f16, Half, 8)      X(f16, Half, 16)
// clang-format on

inline constexpr std::int32_t kGroupTopKMaxSlots = 8;
inline constexpr std::int32_t kGroupTopKMaxGroups = 32;
inline constexpr std::int32_t kGroupTopKMostOfLane = 16;

/// Kernel arguments; device pointers.
struct GroupTopKArguments {
  const void* logits = nullptr;  ///< [tokens, experts] row-major, in the kernel's logit format
  const float* bias = nullptr;   ///< [experts] added for the selection only; finite
  std::int32_t* expert_ids =
      nullptr;                    ///< [tokens, slots] out; kAbsentExpert where too few are valid
  float* gate_weights = nullptr;  ///< [tokens, slots] out: sigmoid scores, without the bias
  std::int32_t tokens = 0;
  std::int32_t experts = 0;
  std::int32_t slots = 0;
  std::int32_t groups = 1;       ///< divides experts
  std::int32_t kept_groups = 1;  ///< groups a token may use
  std::int32_t tokens_per_warp = 1;
  float scale = 1.0F;
  bool has_vector_rows = false;  ///< has_vector_rows(), and has_whole_pieces of the plan
  bool sums_best_two = true;     ///< a group's score is the sum of its two best, else its best
  bool is_renormalised = true;   ///< divide the chosen scores by their sum
};

struct GroupTopKPlan {
  std::int32_t most_of_lane = 0;  ///< experts a lane has room for; 0: no kernel serves the shape
  std::int32_t tokens_per_warp = 1;
  std::int32_t blocks = 0;
  bool has_whole_pieces = false;  ///< a group's width is a multiple of four experts
};

/// Neighbouring lanes that share a group.
SWITCHYARD_HOST_DEVICE std::int32_t lanes_of_group(std::int32_t groups) {
  std::int32_t padded = 1;
  while (padded < groups) {
    padded *= 2;
  }
  return 32 / padded;
}

inline GroupTopKPlan plan_group_top_k(const TopKShape& shape,
                                      std::int32_t groups,
                                      std::int32_t multiprocessors) {
  GroupTopKPlan plan;
  if (shape.slots > kGroupTopKMaxSlots || groups > kGroupTopKMaxGroups ||
      shape.experts % groups != 0) {
    return plan;
  }
  const std::int32_t width = shape.experts / groups;
  const std::int32_t lanes = lanes_of_group(groups);
  const std::int32_t of_lane = (width + 4 * lanes - 1) / (4 * lanes) * 4;
  if (of_lane > kGroupTopKMostOfLane) {
    return plan;
  }
  plan.most_of_lane = of_lane <= 4 ? 4 : of_lane <= 8 ? 8 : 16;
  plan.has_whole_pieces = width % 4 == 0;
  while (plan.tokens_per_warp < 8 &&
         shape.tokens / (plan.tokens_per_warp * kTopKWarps) > 8 * multiprocessors) {
    plan.tokens_per_warp *= 2;
  }
  const std::int32_t tokens_of_block = plan.tokens_per_warp * kTopKWarps;
  plan.blocks = shape.tokens / tokens_of_block + (shape.tokens % tokens_of_block == 0 ? 0 : 1);
  return plan;
}

/// The kernel of the plan, as SWITCHYARD_KERNEL named it.
std::string group_top_k_kernel(LogitType type, const GroupTopKPlan& plan);

}  // namespace switchyard
