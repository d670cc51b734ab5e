// What the dispatch-layout kernels take and how their work is cut. Shared by host and device code,
// so it is free of CUDA.
#pragma once

#include <cstdint>

#include "kernels/device/router_math.cuh"

namespace switchyard {

inline constexpr std::int32_t kLayoutWarps = 8;  ///< of a block
inline constexpr std::int32_t kLayoutThreads = 32 * kLayoutWarps;
inline constexpr std::int32_t kLayoutMaxExperts = 1024;
inline constexpr std::int32_t kLayoutMaxRanks = 1024;
inline constexpr std::int32_t kLayoutMaxSlots = 32;

/// Kernel arguments; device pointers. Names and meanings as in kernels/stages/dispatch_layout.hpp.
struct LayoutArguments {
  const std::int32_t* expert_ids = nullptr;      ///< [tokens, slots]
  const std::int32_t* expert_to_rank = nullptr;  ///< [experts]
  std::int32_t* load = nullptr;                  ///< [experts]
  std::int32_t* offsets = nullptr;               ///< [experts + 1]
  std::int32_t* positions = nullptr;             ///< [tokens, slots]
  std::int32_t* rows = nullptr;                  ///< [tokens, slots]
  std::int32_t* sources = nullptr;               ///< [tokens * slots], the kept ones are written
  std::uint8_t* first_copies = nullptr;          ///< [tokens, slots]
  std::int32_t* rank_tokens = nullptr;           ///< [ranks]
  std::int32_t* node_tokens = nullptr;           ///< [nodes]
  std::int32_t* chunk_counts = nullptr;          ///< scratch: [chunks, slices, experts]
  std::uint32_t* arrivals = nullptr;             ///< scratch: one, 0 before and after
  std::int32_t tokens = 0;
  std::int32_t slots = 0;
  std::int32_t experts = 0;
  std::int32_t capacity = 0;
  std::int32_t ranks = 0;
  std::int32_t ranks_per_node = 1;
  std::int32_t chunk_tokens = 1;  ///< tokens of a block; no influence on results
  bool is_slot_major = false;
};

/// Passes over a chunk: slot-major order counts each slot by itself.
SWITCHYARD_HOST_DEVICE std::int32_t layout_slices(const LayoutArguments& arguments) {
  return arguments.is_slot_major ? arguments.slots : 1;
}

SWITCHYARD_HOST_DEVICE std::int32_t layout_chunks(const LayoutArguments& arguments) {
  return arguments.tokens / arguments.chunk_tokens +
         (arguments.tokens % arguments.chunk_tokens == 0 ? 0 : 1);
}

}  // namespace switchyard
