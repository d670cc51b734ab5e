// What the bfloat16 projection on tensor cores takes. Free of CUDA.
//
// The order of a sum: coordinates in steps of 16, one mma.sync each, added to the sums before.
// Inside a step PTX leaves the order open: the emulator and the PTX machine add in ascending order
// with one rounding each, a GPU as its tensor cores do. So logits agree to the last bit between
// those two and the CPU twin, and with a GPU to within the rounding of 16 products a step.
#pragma once

#include <cstdint>

#include "kernels/device/logit_type.hpp"

namespace switchyard {

inline constexpr std::int32_t kTensorThreads = 256;  ///< of a block: eight warps
inline constexpr std::int32_t kTensorTokens = 128;   ///< of a block
inline constexpr std::int32_t kTensorExperts = 64;   ///< of a block
inline constexpr std::int32_t kTensorPanel = 64;     ///< coordinates in shared memory at a time
inline constexpr std::int32_t kTensorStep = 16;      ///< coordinates of one mma
inline constexpr std::int32_t kTensorRowUnit = 8;    ///< coordinates of a 16-byte load

/// Kernel arguments; device pointers.
struct TensorArguments {
  const Bfloat16* hidden = nullptr;  ///< [tokens, width]
  const Bfloat16* gate = nullptr;    ///< [experts, width]
  float* logits = nullptr;           ///< [tokens, experts] out
  std::int32_t tokens = 0;
  std::int32_t experts = 0;
  std::int32_t width = 0;  ///< a multiple of kTensorRowUnit
  std::int32_t expert_blocks = 1;
};

}  // namespace switchyard
