// What the top-k kernels take, which of them serves a shape, and with how many blocks. Shared by
// host and device code, so it is free of CUDA.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/device/logit_type.hpp"

namespace switchyard {

// One line for each compiled kernel: X(tag in the name, logit type, room for experts, room for
// slots). A slot needs a lane, hence no small row with 32 slots.
// clang-format off
#define SWITCHYARD_TOP_K_KERNELS_OF(X, tag, Logit)                                   \
  X(tag, Logit, 64, 2)   X(tag, Logit, 64, 8)                                        \
  X(tag, Logit, 128, 2)  X(tag, Logit, 128, 8)                                       \
  X(tag, Logit, 256, 2)  X(tag, Logit, 256, 8)  X(tag, Logit, 256, 32)               \
  X(tag, Logit, 512, 2)  X(tag, Logit, 512, 8)  X(tag, Logit, 512, 32)               \
  X(tag, Logit, 1024, 2) X(tag, Logit, 1024, 8) X(tag, Logit, 1024, 32)
#define SWITCHYARD_TOP_K_KERNELS(X)                \
  SWITCHYARD_TOP_K_KERNELS_OF(X, f32, float)       \
  SWITCHYARD_TOP_K_KERNELS_OF(X, bf16, Bfloat16)   \
  SWITCHYARD_TOP_K_KERNELS_OF(X, f16, Half)

// clang-format on

/// Kernel arguments; device pointers.
struct TopKArguments {
  const void* logits = nullptr;  ///< [tokens, experts] row-major, in the kernel's logit format
  std::int32_t* expert_ids =
      nullptr;                    ///< [tokens, slots] out; kAbsentExpert where too few are valid
  float* gate_weights = nullptr;  ///< [tokens, slots] out
  std::int32_t tokens = 0;
  std::int32_t experts = 0;          ///< <= the kernel's room for experts
  std::int32_t slots = 0;            ///< the k of top-k, <= the kernel's room for slots
  std::int32_t tokens_per_warp = 1;  ///< from the plan; no influence on results
  float scale = 1.0F;                ///< multiplies every weight
  bool has_vector_rows = false;      ///< has_vector_rows() below
  bool is_renormalised = true;  ///< weights are a softmax over the chosen experts, else over all
};

inline constexpr std::int32_t kLanesOfWarp = 32;
inline constexpr std::int32_t kTopKWarps = 4;  ///< warps of a block
inline constexpr std::int32_t kTopKMaxExperts = 1024;
inline constexpr std::int32_t kTopKMaxSlots = 32;

struct TopKShape {
  LogitType logit_type = LogitType::Float32;
  std::int32_t tokens = 0;
  std::int32_t experts = 0;  ///< 1 .. kTopKMaxExperts
  std::int32_t slots = 0;    ///< 1 .. min(experts, kTopKMaxSlots)
};

struct TopKPlan {
  std::int32_t expert_tier = 0;
  std::int32_t slot_tier = 0;
  std::int32_t tokens_per_warp = 0;
  std::int32_t blocks = 0;
};

/// Whether every row starts and ends at a multiple of 16 bytes, so that it can be read as vectors.
inline bool has_vector_rows(const void* logits, const TopKShape& shape) {
  const std::int32_t in_vector = shape.logit_type == LogitType::Float32 ? 4 : 8;
  return reinterpret_cast<std::uintptr_t>(logits) % 16 == 0 && shape.experts % in_vector == 0;
}

/// Plans for a shape within the limits above. `multiprocessors` only spreads work, results do not
/// depend on it.
constexpr TopKPlan plan_top_k(const TopKShape& shape, std::int32_t multiprocessors) {
  constexpr std::int32_t kMostTokensOfWarp = 8;
  TopKPlan plan;
  plan.expert_tier = shape.slots <= 8 ? 64 : 256;
  plan.slot_tier = shape.slots <= 2 ? 2 : shape.slots <= 8 ? 8 : 32;
  while (plan.expert_tier < shape.experts) {
    plan.expert_tier *= 2;
  }
  const std::int32_t lanes = plan.expert_tier / 8 < 32 ? plan.expert_tier / 8 : 32;
  // Few tokens: one step for each warp, spread over the device. Many: longer runs.
  plan.tokens_per_warp = 32 / lanes;
  while (plan.tokens_per_warp < kMostTokensOfWarp &&
         shape.tokens / (plan.tokens_per_warp * kTopKWarps) > 8 * multiprocessors) {
    plan.tokens_per_warp *= 2;
  }
  const std::int32_t tokens_of_block = plan.tokens_per_warp * kTopKWarps;
  plan.blocks = shape.tokens / tokens_of_block + (shape.tokens % tokens_of_block == 0 ? 0 : 1);
  return plan;
}

/// The kernel of the plan, as SWITCHYARD_KERNEL named it.
std::string top_k_kernel(LogitType type, const TopKPlan& plan);

}  // namespace switchyard
