// logits = hidden x gate^T of bfloat16 numbers on tensor cores, with float sums. A block makes 128
// x 64 logits: panels of 64 coordinates of both tables go through shared memory, and the next panel
// is on its way into registers meanwhile. Of a panel, a warp multiplies 32 tokens with 32 experts.
#pragma once

#include "kernels/device/tensor_core.cuh"
#include "kernels/hidden/tensor_projection_launch.hpp"

namespace switchyard {

inline constexpr int kPanelVectors = kTensorPanel / 8;  // 16-byte vectors of a row in a panel
inline constexpr int kPanelWords = kTensorPanel / 2;    // words of two coordinates
inline constexpr int kPanelStride = kPanelWords + 4;    // eight rows at once, no bank twice
inline constexpr int kRowsOfPass = kTensorThreads / kPanelVectors;  // that all threads load
inline constexpr int kHiddenPasses = kTensorTokens / kRowsOfPass;
inline constexpr int kGatePasses = kTensorExperts / kRowsOfPass;
inline constexpr int kWarpRows = 32;  // tokens, and experts, of a warp
inline constexpr int kTokenTiles = kWarpRows / 16;
inline constexpr int kExpertTiles = kWarpRows / 8;

struct TensorPanels {
  alignas(16) std::uint32_t hidden[kTensorTokens][kPanelStride];
  alignas(16) std::uint32_t gate[kTensorExperts][kPanelStride];
};

/// A thread's part of `kPasses` x kRowsOfPass rows of a panel: a vector of a row in each pass.
template <int kPasses>
struct PanelPart {
  uint4 vectors[kPasses];

  /// From `table` [count, width] at row `first_row`, coordinate `panel`. Rows that do not exist are
  /// read as the last one; coordinates beyond the width are zeros.
  SWITCHYARD_DEVICE void load(const Bfloat16* table,
                              std::int32_t count,
                              std::int32_t width,
                              std::int32_t first_row,
                              std::int32_t panel) {
    const auto thread = static_cast<std::int32_t>(threadIdx.x);
    const std::int32_t at = panel + thread % kPanelVectors * 8;
    SWITCHYARD_UNROLL
    for (int pass = 0; pass < kPasses; ++pass) {
      const std::int32_t wanted = first_row + pass * kRowsOfPass + thread / kPanelVectors;
      const std::int32_t row = wanted < count ? wanted : count - 1;
      vectors[pass] = uint4{0, 0, 0, 0};
      if (at < width) {
        vectors[pass] =
            *reinterpret_cast<const uint4*>(table + static_cast<std::int64_t>(row) * width + at);
      }
    }
  }

  SWITCHYARD_DEVICE void store(std::uint32_t (*rows)[kPanelStride]) const {
    const auto thread = static_cast<std::int32_t>(threadIdx.x);
    SWITCHYARD_UNROLL
    for (int pass = 0; pass < kPasses; ++pass) {
      std::uint32_t* const row = rows[pass * kRowsOfPass + thread / kPanelVectors];
      *reinterpret_cast<uint4*>(row + thread % kPanelVectors * 4) = vectors[pass];
    }
  }
};

/// Sums of a warp's 32 x 32 logits, as mma.sync spreads them over its lanes.
struct TensorSums {
  float of_tile[kTokenTiles][kExpertTiles][4];

  /// Adds a step of 16 coordinates; `word` is where it begins in a row of the panels.
  SWITCHYARD_DEVICE void add_step(const TensorPanels& panels,
                                  std::int32_t first_token,
                                  std::int32_t first_expert,
                                  int word) {
    const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
    const int at = word + lane % 4;
    std::uint32_t a[kTokenTiles][4];
    SWITCHYARD_UNROLL
    for (int tile = 0; tile < kTokenTiles; ++tile) {
      const std::int32_t row = first_token + tile * 16 + lane / 4;
      a[tile][0] = panels.hidden[row][at];
      a[tile][1] = panels.hidden[row + 8][at];
      a[tile][2] = panels.hidden[row][at + 4];
      a[tile][3] = panels.hidden[row + 8][at + 4];
    }
    SWITCHYARD_UNROLL
    for (int column = 0; column < kExpertTiles; ++column) {
      const std::int32_t row = first_expert + column * 8 + lane / 4;
      const std::uint32_t b[2] = {panels.gate[row][at], panels.gate[row][at + 4]};
      SWITCHYARD_UNROLL
      for (int tile = 0; tile < kTokenTiles; ++tile) {
        multiply_add_tile(a[tile], b, of_tile[tile][column]);
      }
    }
  }

  SWITCHYARD_DEVICE void write(const TensorArguments& arguments,
                               std::int32_t first_token,
                               std::int32_t first_expert) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
    SWITCHYARD_UNROLL
    for (int tile = 0; tile < kTokenTiles; ++tile) {
      SWITCHYARD_UNROLL
      for (int column = 0; column < kExpertTiles; ++column) {
        SWITCHYARD_UNROLL
        for (int item = 0; item < 4; ++item) {
          const std::int32_t token = first_token + tile * 16 + lane / 4 + item / 2 * 8;
          const std::int32_t expert = first_expert + column * 8 + lane % 4 * 2 + item % 2;
          if (token < arguments.tokens && expert < arguments.experts) {
            arguments.logits[static_cast<std::int64_t>(token) * arguments.experts + expert] =
                of_tile[tile][column][item];
          }
        }
      }
    }
  }
};

/// Body of a kernel of kTensorThreads threads.
SWITCHYARD_DEVICE void tensor_project_of_block(const TensorArguments& arguments) {
  SWITCHYARD_SHARED(TensorPanels, panels);
  constexpr int kWarpsOfTokens = kTensorTokens / kWarpRows;
  const auto block = static_cast<std::int32_t>(blockIdx.x);
  const auto warp = static_cast<std::int32_t>(threadIdx.x) / kWarpLanes;
  // Blocks of the same tokens are neighbours: the later ones find their rows in the L2 cache.
  const std::int32_t first_token = block / arguments.expert_blocks * kTensorTokens;
  const std::int32_t first_expert = block % arguments.expert_blocks * kTensorExperts;
  const std::int32_t warp_token = warp % kWarpsOfTokens * kWarpRows;
  const std::int32_t warp_expert = warp / kWarpsOfTokens * kWarpRows;
  TensorSums sums = {};
  PanelPart<kHiddenPasses> hidden;
  PanelPart<kGatePasses> gate;
  const auto load = [&](std::int32_t panel) {
    hidden.load(arguments.hidden, arguments.tokens, arguments.width, first_token, panel);
    gate.load(arguments.gate, arguments.experts, arguments.width, first_expert, panel);
  };
  load(0);
  for (std::int32_t panel = 0; panel < arguments.width; panel += kTensorPanel) {
    __syncthreads();  // the panel before is used up
    hidden.store(panels.hidden);
    gate.store(panels.gate);
    __syncthreads();
    if (panel + kTensorPanel < arguments.width) {
      load(panel + kTensorPanel);
    }
    SWITCHYARD_UNROLL
    for (int step = 0; step < kTensorPanel; step += kTensorStep) {
      if (panel + step < arguments.width) {
        sums.add_step(panels, warp_token, warp_expert, step / 2);
      }
    }
  }
  sums.write(arguments, first_token + warp_token, first_expert + warp_expert);
}

}  // namespace switchyard
