// Device side of the cluster statistics of Adaptive Clustering, in three kernels: means, deviations
// (with their inverses), normalise. Tokens come sorted by cluster, as the dispatch layout of the
// layer before leaves them, so a thread adds one direction of consecutive rows in a register and
// nothing is scattered. Several blocks share the pieces of a cluster in a tile of directions; the
// last of them to finish adds the pieces up.
#pragma once

#include "kernels/device/block_sums.cuh"
#include "kernels/hidden/cluster_statistics_launch.hpp"

namespace switchyard {

/// Rows whose values are under way at once.
inline constexpr int kClusterRows = 8;

/// What a block of the first two kernels works on.
struct ClusterPlace {
  std::int32_t tile;
  std::int32_t round;
  std::int32_t cluster;
  std::int32_t tiles;

  SWITCHYARD_DEVICE explicit ClusterPlace(const ClusterArguments& arguments)
      : tiles(cluster_tiles(arguments.width)) {
    const auto block = static_cast<std::int32_t>(blockIdx.x);
    tile = block % tiles;
    round = block / tiles % arguments.rounds_of_blocks;
    cluster = block / tiles / arguments.rounds_of_blocks;
  }

  SWITCHYARD_DEVICE std::int32_t direction() const {
    return tile * kClusterTile + static_cast<std::int32_t>(threadIdx.x);
  }
};

template <bool kIsDeviation>
SWITCHYARD_DEVICE float cluster_term(float value, float mean) {
  return kIsDeviation ? fabsf(subtract_rounded(value, mean)) : value;
}

/// Sum over `rows` consecutive sources of one direction; `column` is its value in token 0.
template <bool kIsDeviation>
SWITCHYARD_DEVICE float sum_of_piece(const float* column,
                                     const std::int32_t* sources,
                                     std::int32_t rows,
                                     std::int64_t width,
                                     float mean) {
  float sum = 0.0F;
  std::int32_t row = 0;
  for (; row + kClusterRows <= rows; row += kClusterRows) {
    float values[kClusterRows];
    SWITCHYARD_UNROLL
    for (int item = 0; item < kClusterRows; ++item) {
      values[item] = column[sources[row + item] * width];
    }
    SWITCHYARD_UNROLL
    for (int item = 0; item < kClusterRows; ++item) {
      sum = add_rounded(sum, cluster_term<kIsDeviation>(values[item], mean));
    }
  }
  for (; row < rows; ++row) {
    sum = add_rounded(sum, cluster_term<kIsDeviation>(column[sources[row] * width], mean));
  }
  return sum;
}

/// Sums the block's share of its cluster's pieces; in the last block of the cluster and tile to get
/// here, returns true and the total of all pieces.
template <bool kIsDeviation>
SWITCHYARD_DEVICE bool sum_cluster(const ClusterArguments& arguments,
                                   const ClusterPlace& place,
                                   float mean,
                                   float& total) {
  const std::int32_t direction = place.direction();
  const std::int32_t first = arguments.offsets[place.cluster];
  const std::int32_t tokens = arguments.offsets[place.cluster + 1] - first;
  const std::int32_t pieces = cluster_pieces(tokens);
  const bool is_direction = direction < arguments.width;
  // Pieces of the clusters before take no more places than this.
  float* const partials =
      arguments.partials +
      static_cast<std::int64_t>(first / kClusterPiece + place.cluster) * arguments.width +
      direction;
  for (std::int32_t piece = place.round; is_direction && piece < pieces;
       piece += arguments.rounds_of_blocks) {
    const std::int32_t begin = piece * kClusterPiece;
    const std::int32_t left = tokens - begin;
    partials[static_cast<std::int64_t>(piece) * arguments.width] =
        sum_of_piece<kIsDeviation>(arguments.hidden + direction,
                                   arguments.sources + first + begin,
                                   left < kClusterPiece ? left : kClusterPiece,
                                   arguments.width,
                                   mean);
  }
  if (!is_last_arrival(arguments.arrivals + place.cluster * place.tiles + place.tile,
                       static_cast<unsigned>(arguments.rounds_of_blocks))) {
    return false;
  }
  total = 0.0F;
  for (std::int32_t piece = 0; is_direction && piece < pieces; ++piece) {
    total =
        add_rounded(total, __ldcg(partials + static_cast<std::int64_t>(piece) * arguments.width));
  }
  return true;
}

SWITCHYARD_DEVICE std::int32_t tokens_of_cluster(const ClusterArguments& arguments,
                                                 std::int32_t cluster) {
  return arguments.offsets[cluster + 1] - arguments.offsets[cluster];
}

/// Body of the first kernel.
SWITCHYARD_DEVICE void cluster_means_of_block(const ClusterArguments& arguments) {
  const ClusterPlace place(arguments);
  float total = 0.0F;
  if (sum_cluster<false>(arguments, place, 0.0F, total) && place.direction() < arguments.width) {
    arguments
        .means[static_cast<std::int64_t>(place.cluster) * arguments.width + place.direction()] =
        mean_of_cluster(total, tokens_of_cluster(arguments, place.cluster));
  }
}

/// Body of the second kernel: weights before clipping, and their sums over tiles.
SWITCHYARD_DEVICE void cluster_deviations_of_block(const ClusterArguments& arguments) {
  const ClusterPlace place(arguments);
  const std::int32_t cluster = place.cluster;
  const bool is_direction = place.direction() < arguments.width;
  const std::int64_t at = static_cast<std::int64_t>(cluster) * arguments.width + place.direction();
  float total = 0.0F;
  if (!sum_cluster<true>(arguments, place, is_direction ? arguments.means[at] : 0.0F, total)) {
    return;
  }
  const std::int32_t tokens = tokens_of_cluster(arguments, cluster);
  const bool is_counted = is_cluster_counted(arguments, cluster, tokens);
  const float weight = is_counted ? inverse_deviation(mean_of_cluster(total, tokens)) : 1.0F;
  const float sum = block_sum<kClusterWarps>(is_direction && is_counted ? weight : 0.0F);
  if (is_direction) {
    arguments.weights[at] = weight;
  }
  if (threadIdx.x == 0) {
    arguments.tile_sums[cluster * place.tiles + place.tile] = sum;
  }
}

/// Body of the third kernel; grid: tiles. Clips and normalises the weights in place.
SWITCHYARD_DEVICE void normalise_clusters_of_block(const ClusterArguments& arguments) {
  const auto direction = static_cast<std::int32_t>(blockIdx.x * kClusterTile + threadIdx.x);
  const std::int32_t sums = arguments.clusters * static_cast<std::int32_t>(gridDim.x);
  float own = 0.0F;
  for (auto at = static_cast<std::int32_t>(threadIdx.x); at < sums; at += kClusterTile) {
    own = add_rounded(own, arguments.tile_sums[at]);
  }
  const float total = block_sum<kClusterWarps>(own);
  std::int32_t counted = 0;
  for (std::int32_t cluster = 0; cluster < arguments.clusters; ++cluster) {
    const std::int32_t tokens = tokens_of_cluster(arguments, cluster);
    counted += is_cluster_counted(arguments, cluster, tokens) ? 1 : 0;
  }
  if (counted == 0 || direction >= arguments.width) {
    return;
  }
  const float mean = divide_rounded(total, static_cast<float>(counted * arguments.width));
  ColumnMean column;
  for (std::int32_t cluster = 0; cluster < arguments.clusters; ++cluster) {
    if (is_cluster_counted(arguments, cluster, tokens_of_cluster(arguments, cluster))) {
      float& weight =
          arguments.weights[static_cast<std::int64_t>(cluster) * arguments.width + direction];
      weight = clipped_weight(weight, mean, arguments.is_language);
      column.add(weight);
    }
  }
  const float divisor = column.mean();
  for (std::int32_t cluster = 0; arguments.is_language && cluster < arguments.clusters; ++cluster) {
    if (is_cluster_counted(arguments, cluster, tokens_of_cluster(arguments, cluster))) {
      float& weight =
          arguments.weights[static_cast<std::int64_t>(cluster) * arguments.width + direction];
      weight = divide_rounded(weight, divisor);
    }
  }
}

}  // namespace switchyard
