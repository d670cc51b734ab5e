// Feature weights of the Adaptive Clustering router (ACMoE, ICLR 2025, arXiv 2502.15315): how much
// each direction of hidden space counts for the tokens of a cluster. Directions in which a cluster
// is tight count more.
#pragma once

#include <cstdint>
#include <span>

#include "core/matrix.hpp"

namespace switchyard {

enum class ClusterNormalisation : std::uint8_t {
  Language,  // clip at 10 means, then mean 1 over clusters in each direction
  Swin,      // clip at 1.5 means, then divide by the mean over everything
};

struct ClusterWeightOptions {
  ClusterNormalisation normalisation = ClusterNormalisation::Language;
  /// As the authors' code treats corner cases: clusters of 0 or 1 token take part with their huge
  /// weights, and clusters behind the last expert used in the layer before do not exist. Otherwise
  /// clusters of fewer than 2 tokens get weight 1 everywhere and count for nothing.
  bool is_compatible = false;
  /// Clusters that exist in compatible mode (highest expert id used before + 1).
  std::size_t used_clusters = 0;
};

/// Means of consecutive tokens: hidden [tokens, hidden], segment s holds tokens
/// [starts[s], starts[s + 1]) -> means [segments, hidden]; 0 for an empty segment.
Matrix<float> segment_means(MatrixView<const float> hidden, std::span<const std::int32_t> starts);

/// hidden [tokens, hidden], labels [tokens] in [0, clusters) or kNoExpert -> weights
/// [clusters, hidden]. Statistics are over the tokens given; sums
/// are in float32, in the order of kernels/hidden/cluster_statistics_launch.hpp.
Matrix<float> cluster_weights(MatrixView<const float> hidden,
                              std::span<const std::int32_t> labels,
                              std::size_t clusters,
                              const ClusterWeightOptions& options);

}  // namespace switchyard
