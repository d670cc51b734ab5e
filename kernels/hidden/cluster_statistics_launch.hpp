// What the kernels of the cluster statistics take (kernels/stages/adaptive_clustering.hpp), and the
// order of their sums, which the CPU keeps too. C++17 and free of CUDA.
#pragma once

#include <cstdint>

#include "kernels/device/router_math.cuh"

namespace switchyard {

inline constexpr std::int32_t kClusterWarps = 4;
/// Directions of a block: a tile.
inline constexpr std::int32_t kClusterTile = 32 * kClusterWarps;
/// Tokens of a cluster that are added one after the other. The sums of such pieces are then added
/// in their order.
inline constexpr std::int32_t kClusterPiece = 64;

/// Kernel arguments; device pointers.
struct ClusterArguments {
  const float* hidden = nullptr;          ///< [tokens, width]
  const std::int32_t* offsets = nullptr;  ///< [clusters + 1], into `sources`
  const std::int32_t* sources = nullptr;  ///< tokens by cluster, ascending in each
  float* partials = nullptr;          ///< scratch [tokens / kClusterPiece + clusters + 1, width]
  float* means = nullptr;             ///< [clusters, width]
  float* weights = nullptr;           ///< [clusters, width]
  float* tile_sums = nullptr;         ///< scratch [clusters, tiles]
  std::uint32_t* arrivals = nullptr;  ///< scratch [clusters, tiles], 0 before and after
  std::int32_t width = 0;
  std::int32_t clusters = 0;
  std::int32_t rounds_of_blocks = 1;  ///< blocks that share the pieces of a cluster and tile; no
                                      ///< influence on results
  std::int32_t used_clusters = 0;     ///< of compatible mode
  bool is_compatible = false;
  bool is_language = true;
};

SWITCHYARD_HOST_DEVICE std::int32_t cluster_pieces(std::int32_t tokens) {
  return (tokens + kClusterPiece - 1) / kClusterPiece;
}

SWITCHYARD_HOST_DEVICE std::int32_t cluster_tiles(std::int32_t width) {
  return (width + kClusterTile - 1) / kClusterTile;
}

/// Whether a cluster takes part in clipping and normalising.
SWITCHYARD_HOST_DEVICE bool is_cluster_counted(const ClusterArguments& arguments,
                                               std::int32_t cluster,
                                               std::int32_t tokens) {
  return arguments.is_compatible ? cluster < arguments.used_clusters : tokens >= 2;
}

SWITCHYARD_HOST_DEVICE float mean_of_cluster(float sum, std::int32_t tokens) {
  return tokens > 1 ? divide_rounded(sum, static_cast<float>(tokens)) : sum;
}

/// The inverse deviation; 1e-4 is the authors'.
SWITCHYARD_HOST_DEVICE float inverse_deviation(float deviation) {
  return divide_rounded(1.0F, add_rounded(deviation, 1e-4F));
}

/// A weight clipped at ten means (language) or, in units of the mean, at one and a half (Swin).
SWITCHYARD_HOST_DEVICE float clipped_weight(float weight, float mean, bool is_language) {
  const float value = is_language ? weight : divide_rounded(weight, mean);
  const float ceiling = is_language ? multiply_rounded(10.0F, mean) : 1.5F;
  return value > ceiling ? ceiling : value;
}

/// The mean of numbers as the first of them plus the mean of what the others differ from it by:
/// equal numbers have exactly that mean.
struct ColumnMean {
  float first = 0.0F;
  float differences = 0.0F;
  std::int32_t count = 0;

  SWITCHYARD_HOST_DEVICE void add(float value) {
    first = count == 0 ? value : first;
    differences = add_rounded(differences, subtract_rounded(value, first));
    ++count;
  }

  SWITCHYARD_HOST_DEVICE float mean() const {
    return add_rounded(first, divide_rounded(differences, static_cast<float>(count)));
  }
};

}  // namespace switchyard
