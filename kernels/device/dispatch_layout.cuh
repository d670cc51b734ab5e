// Device side of kernels/stages/dispatch_layout.hpp, in two kernels. `count` histograms chunks of
// tokens; its last block to finish scans the histograms. `place` gives every choice its position
// and row, then finds for every token the first choice on each rank and node. Deterministic:
// atomics only add up integers, and positions come from ranks inside warps (match_any) and fixed
// scans.
#pragma once

#include "kernels/device/dispatch_layout_launch.hpp"
#include "kernels/device/executor.cuh"

namespace switchyard {

/// The choices of one slice of a chunk, in order: `count` of them, `stride` apart from `first`.
struct ChoiceRange {
  std::int32_t first;
  std::int32_t stride;
  std::int32_t count;

  SWITCHYARD_DEVICE std::int32_t choice(std::int32_t at) const { return first + at * stride; }
};

SWITCHYARD_DEVICE ChoiceRange slice_of_chunk(const LayoutArguments& arguments,
                                             std::int32_t chunk,
                                             std::int32_t slice) {
  const std::int32_t token = chunk * arguments.chunk_tokens;
  const std::int32_t left = arguments.tokens - token;
  const std::int32_t tokens = left < arguments.chunk_tokens ? left : arguments.chunk_tokens;
  if (arguments.is_slot_major) {
    return {token * arguments.slots + slice, arguments.slots, tokens};
  }
  return {token * arguments.slots, 1, tokens * arguments.slots};
}

SWITCHYARD_DEVICE std::int32_t* counts_of_chunk(const LayoutArguments& arguments,
                                                std::int32_t chunk,
                                                std::int32_t slice) {
  const std::int64_t table = static_cast<std::int64_t>(chunk) * layout_slices(arguments) + slice;
  return arguments.chunk_counts + table * arguments.experts;
}

struct ExpertCounts {
  std::int32_t of_expert[kLayoutMaxExperts];
};

/// Histogram of the experts of a chunk, slice by slice, into chunk_counts. All threads call.
template <int kWarps>
SWITCHYARD_DEVICE void count_chunk(const LayoutArguments& arguments, std::int32_t chunk) {
  SWITCHYARD_SHARED(ExpertCounts, counts);
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  constexpr std::int32_t kThreads = kWarps * kWarpLanes;
  for (std::int32_t slice = 0; slice < layout_slices(arguments); ++slice) {
    for (std::int32_t expert = thread; expert < arguments.experts; expert += kThreads) {
      counts.of_expert[expert] = 0;
    }
    __syncthreads();
    const ChoiceRange range = slice_of_chunk(arguments, chunk, slice);
    for (std::int32_t at = thread; at < range.count; at += kThreads) {
      const std::int32_t expert = arguments.expert_ids[range.choice(at)];
      if (expert >= 0) {
        atomicAdd(&counts.of_expert[expert], 1);
      }
    }
    __syncthreads();
    std::int32_t* const table = counts_of_chunk(arguments, chunk, slice);
    for (std::int32_t expert = thread; expert < arguments.experts; expert += kThreads) {
      table[expert] = counts.of_expert[expert];
    }
    __syncthreads();
  }
}

struct LastBlock {
  bool is_this;
};

/// True for the block that is the last of the grid to get here; what the others wrote before is
/// then visible to it. All threads call.
SWITCHYARD_DEVICE bool is_last_block(const LayoutArguments& arguments) {
  SWITCHYARD_SHARED(LastBlock, last);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last.is_this = atomicAdd(arguments.arrivals, 1U) == gridDim.x - 1;
  }
  __syncthreads();
  if (last.is_this) {
    __threadfence();
    if (threadIdx.x == 0) {
      *arguments.arrivals = 0;
    }
  }
  return last.is_this;
}

/// Exclusive scan over the experts' kept counts into offsets; one warp calls.
SWITCHYARD_DEVICE void scan_offsets(const LayoutArguments& arguments, const ExpertCounts& kept) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  std::int32_t before = 0;
  for (std::int32_t first = 0; first < arguments.experts; first += kWarpLanes) {
    const std::int32_t expert = first + lane;
    const std::int32_t own = expert < arguments.experts ? kept.of_expert[expert] : 0;
    std::int32_t sum = own;
    for (int distance = 1; distance < kWarpLanes; distance *= 2) {
      const std::int32_t lower = __shfl_up_sync(kFullWarp, sum, static_cast<unsigned>(distance));
      sum += lane >= distance ? lower : 0;
    }
    if (expert < arguments.experts) {
      arguments.offsets[expert] = before + sum - own;
    }
    before += __shfl_sync(kFullWarp, sum, kWarpLanes - 1);
  }
  if (lane == 0) {
    arguments.offsets[arguments.experts] = before;
  }
}

/// Replaces the counts of an expert in one slice of every chunk by the number of its choices
/// before; returns that number after the last chunk. Counts are read several at a time: one after
/// the other they would cost a memory latency each.
SWITCHYARD_DEVICE std::int32_t scan_slice(const LayoutArguments& arguments,
                                          std::int32_t expert,
                                          std::int32_t slice,
                                          std::int32_t before) {
  constexpr int kTogether = 8;
  const std::int32_t chunks = layout_chunks(arguments);
  const std::int64_t stride = std::int64_t{layout_slices(arguments)} * arguments.experts;
  std::int32_t* count = counts_of_chunk(arguments, 0, slice) + expert;
  for (std::int32_t first = 0; first < chunks; first += kTogether) {
    std::int32_t here[kTogether];
    SWITCHYARD_UNROLL
    for (int item = 0; item < kTogether; ++item) {
      // Written by other blocks: not from this L1.
      here[item] = first + item < chunks ? __ldcg(count + item * stride) : 0;
    }
    SWITCHYARD_UNROLL
    for (int item = 0; item < kTogether; ++item) {
      if (first + item < chunks) {
        count[item * stride] = before;
        before += here[item];
      }
    }
    count += kTogether * stride;
  }
  return before;
}

/// Turns chunk_counts into the number of earlier choices of each expert, and fills load and
/// offsets; clears rank_tokens and node_tokens. One block calls, when all chunks are counted.
template <int kWarps>
SWITCHYARD_DEVICE void scan_chunks(const LayoutArguments& arguments) {
  SWITCHYARD_SHARED(ExpertCounts, kept);
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  constexpr std::int32_t kThreads = kWarps * kWarpLanes;
  for (std::int32_t expert = thread; expert < arguments.experts; expert += kThreads) {
    std::int32_t before = 0;
    for (std::int32_t slice = 0; slice < layout_slices(arguments); ++slice) {
      before = scan_slice(arguments, expert, slice, before);
    }
    arguments.load[expert] = before;
    kept.of_expert[expert] = before < arguments.capacity ? before : arguments.capacity;
  }
  for (std::int32_t rank = thread; rank < arguments.ranks; rank += kThreads) {
    arguments.rank_tokens[rank] = 0;
    if (rank % arguments.ranks_per_node == 0) {
      arguments.node_tokens[rank / arguments.ranks_per_node] = 0;
    }
  }
  __syncthreads();
  if (thread < kWarpLanes) {
    scan_offsets(arguments, kept);
  }
}

/// `kExperts`: room for so many.
template <int kWarps, int kExperts>
struct WarpCounts {
  std::int32_t of_expert[kWarps][kExperts];
};

/// Gives each warp of the block, for each expert, the number of choices before the warp's part.
template <int kWarps, int kExperts>
SWITCHYARD_DEVICE void count_before_warps(const LayoutArguments& arguments,
                                          const std::int32_t* before_chunk,
                                          WarpCounts<kWarps, kExperts>& counts) {
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  constexpr std::int32_t kThreads = kWarps * kWarpLanes;
  for (std::int32_t expert = thread; expert < arguments.experts; expert += kThreads) {
    std::int32_t before = before_chunk[expert];
    for (std::int32_t warp = 0; warp < kWarps; ++warp) {
      const std::int32_t here = counts.of_expert[warp][expert];
      counts.of_expert[warp][expert] = before;
      before += here;
    }
  }
}

SWITCHYARD_DEVICE void write_place(const LayoutArguments& arguments,
                                   std::int32_t choice,
                                   std::int32_t expert,
                                   std::int32_t position) {
  const bool is_kept = expert >= 0 && position < arguments.capacity;
  const std::int32_t row = is_kept ? arguments.offsets[expert] + position : -1;
  arguments.positions[choice] = is_kept ? position : -1;
  arguments.rows[choice] = row;
  if (is_kept) {
    arguments.sources[row] = choice;
  }
}

/// Positions and rows of a slice. Each warp walks its own consecutive part, 32 choices a step.
template <int kWarps, int kExperts>
SWITCHYARD_DEVICE void place_slice(const LayoutArguments& arguments,
                                   const ChoiceRange& range,
                                   const std::int32_t* before_chunk) {
  using Counts = WarpCounts<kWarps, kExperts>;
  SWITCHYARD_SHARED(Counts, counts);
  constexpr std::int32_t kThreads = kWarps * kWarpLanes;
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  const std::int32_t warp = thread / kWarpLanes;
  const std::int32_t lane = thread % kWarpLanes;
  const unsigned lanes_below = (1U << lane) - 1U;
  const std::int32_t part = (range.count + kThreads - 1) / kThreads * kWarpLanes;
  const std::int32_t first = warp * part;
  const std::int32_t end = first + part < range.count ? first + part : range.count;

  for (std::int32_t at = thread; at < kWarps * arguments.experts; at += kThreads) {
    counts.of_expert[at / arguments.experts][at % arguments.experts] = 0;
  }
  __syncthreads();
  for (std::int32_t at = first + lane; at < end; at += kWarpLanes) {
    const std::int32_t expert = arguments.expert_ids[range.choice(at)];
    if (expert >= 0) {
      atomicAdd(&counts.of_expert[warp][expert], 1);
    }
  }
  __syncthreads();
  count_before_warps(arguments, before_chunk, counts);
  __syncthreads();
  for (std::int32_t step = first; step < end; step += kWarpLanes) {
    const std::int32_t at = step + lane;
    const std::int32_t choice = range.choice(at);
    const std::int32_t expert = at < end ? arguments.expert_ids[choice] : -1;
    const unsigned peers = __match_any_sync(kFullWarp, expert);
    const auto rank = static_cast<std::int32_t>(__popc(peers & lanes_below));
    const std::int32_t position = expert >= 0 ? counts.of_expert[warp][expert] + rank : 0;
    __syncwarp();
    if (expert >= 0 && rank == 0) {
      counts.of_expert[warp][expert] += static_cast<std::int32_t>(__popc(peers));
    }
    __syncwarp();
    if (at < end) {
      write_place(arguments, choice, expert, position);
    }
  }
  __syncthreads();
}

struct PlaceCounts {
  std::int32_t of_rank[kLayoutMaxRanks];
  std::int32_t of_node[kLayoutMaxRanks];
};

/// Marks the first kept choice of each token on each rank and node, and counts them. The choices of
/// a token lie in neighbouring lanes.
template <int kWarps>
SWITCHYARD_DEVICE void mark_first_copies(const LayoutArguments& arguments, std::int32_t chunk) {
  SWITCHYARD_SHARED(PlaceCounts, counts);
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  constexpr std::int32_t kThreads = kWarps * kWarpLanes;
  for (std::int32_t rank = thread; rank < arguments.ranks; rank += kThreads) {
    counts.of_rank[rank] = 0;
    counts.of_node[rank] = 0;
  }
  __syncthreads();
  const std::int32_t lane = thread % kWarpLanes;
  const unsigned lanes_below = (1U << lane) - 1U;
  const std::int32_t tokens_of_step = kWarpLanes / arguments.slots;
  const std::int32_t own_token = lane / arguments.slots;
  const std::int32_t chunk_first = chunk * arguments.chunk_tokens;
  const std::int32_t chunk_left = arguments.tokens - chunk_first;
  const std::int32_t chunk_end =
      chunk_first + (chunk_left < arguments.chunk_tokens ? chunk_left : arguments.chunk_tokens);
  for (std::int32_t first = chunk_first + thread / kWarpLanes * tokens_of_step; first < chunk_end;
       first += kWarps * tokens_of_step) {
    const bool is_choice = own_token < tokens_of_step && first + own_token < chunk_end;
    const std::int32_t choice = first * arguments.slots + lane;
    const bool is_kept = is_choice && arguments.positions[choice] >= 0;
    const std::int32_t rank = is_kept ? arguments.expert_to_rank[arguments.expert_ids[choice]] : -1;
    const std::int32_t node = rank / arguments.ranks_per_node;
    // Lanes without a choice of their own must match nobody.
    const std::int32_t nobody = -1 - lane;
    const std::int32_t token_bits = own_token * kLayoutMaxRanks;
    const unsigned same_rank = __match_any_sync(kFullWarp, is_kept ? token_bits + rank : nobody);
    const unsigned same_node = __match_any_sync(kFullWarp, is_kept ? token_bits + node : nobody);
    const bool is_first_on_rank = is_kept && (same_rank & lanes_below) == 0;
    const bool is_first_on_node = is_kept && (same_node & lanes_below) == 0;
    if (is_first_on_rank) {
      atomicAdd(&counts.of_rank[rank], 1);
    }
    if (is_first_on_node) {
      atomicAdd(&counts.of_node[node], 1);
    }
    if (is_choice) {
      arguments.first_copies[choice] =
          static_cast<std::uint8_t>((is_first_on_rank ? 1 : 0) | (is_first_on_node ? 2 : 0));
    }
  }
  __syncthreads();
  for (std::int32_t rank = thread; rank < arguments.ranks; rank += kThreads) {
    if (counts.of_rank[rank] != 0) {
      atomicAdd(&arguments.rank_tokens[rank], counts.of_rank[rank]);
    }
    if (counts.of_node[rank] != 0) {
      atomicAdd(&arguments.node_tokens[rank], counts.of_node[rank]);
    }
  }
}

/// Body of the first kernel; grid: one block of `kWarps` for each chunk.
template <int kWarps>
SWITCHYARD_DEVICE void count_of_block(const LayoutArguments& arguments) {
  count_chunk<kWarps>(arguments, static_cast<std::int32_t>(blockIdx.x));
  if (is_last_block(arguments)) {
    scan_chunks<kWarps>(arguments);
  }
}

/// Body of the second kernel; same grid. `kExperts`: room for so many.
template <int kWarps, int kExperts>
SWITCHYARD_DEVICE void place_of_block(const LayoutArguments& arguments) {
  const auto chunk = static_cast<std::int32_t>(blockIdx.x);
  for (std::int32_t slice = 0; slice < layout_slices(arguments); ++slice) {
    place_slice<kWarps, kExperts>(arguments,
                                  slice_of_chunk(arguments, chunk, slice),
                                  counts_of_chunk(arguments, chunk, slice));
  }
  mark_first_copies<kWarps>(arguments, chunk);
}

}  // namespace switchyard
