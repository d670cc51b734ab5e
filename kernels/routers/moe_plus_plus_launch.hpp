// What the MoE++ kernels take. Free of CUDA.
#pragma once

#include <cstdint>

namespace switchyard {

inline constexpr std::int32_t kPlusPlusWarps = 4;
inline constexpr std::int32_t kDropThreads = 128;

/// Kernel arguments; device pointers.
struct PlusPlusArguments {
  const float* logits = nullptr;  ///< [tokens, experts]
  const float* before = nullptr;  ///< [tokens, experts] carried over from a layer before; or null
  float* carried = nullptr;       ///< [tokens, experts] out: what the next layer gets
  std::int32_t* expert_ids = nullptr;  ///< [tokens, slots] out
  float* gate_weights = nullptr;       ///< [tokens, slots] out
  std::int32_t tokens = 0;
  std::int32_t experts = 0;
  std::int32_t slots = 0;
  std::int32_t first_zero = 0;   ///< experts from here on give nothing
  float residual = 0.0F;         ///< share of `before` that is added
  bool has_vector_rows = false;  ///< rows start and end at multiples of 16 bytes
};

/// Choices that come too late for their expert are emptied.
struct DropArguments {
  const std::int32_t* positions = nullptr;  ///< [tokens, slots] place in the expert's list
  std::int32_t* expert_ids = nullptr;       ///< [tokens, slots] in place
  float* gate_weights = nullptr;            ///< [tokens, slots] in place
  std::int32_t choices = 0;
  std::int32_t ordinary_experts = 0;  ///< the first ones
  std::int32_t ordinary_room = 0;
  std::int32_t free_room = 0;
};

}  // namespace switchyard
