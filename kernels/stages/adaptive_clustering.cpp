// The twin of kernels/hidden/cluster_statistics.cuh, sum by sum: pieces of a cluster's tokens, in
// order, then the pieces in order. Threads share out the directions, so sums never depend on how
// many threads there are. A tile of directions of all tokens stays in the second-level cache, so
// that the deviations cost no second walk through memory.
#include "kernels/stages/adaptive_clustering.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/check.hpp"
#include "kernels/hidden/cluster_statistics_launch.hpp"
#include "kernels/selection/isa_versions.hpp"
#include "kernels/selection/parallel_rows.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kTile = kClusterTile;

/// Tokens by cluster, ascending in each.
struct TokensByCluster {
  std::vector<std::int32_t> offsets;  // [clusters + 1]
  std::vector<std::int32_t> tokens;
};

TokensByCluster sort_by_cluster(std::span<const std::int32_t> labels, std::size_t clusters) {
  TokensByCluster sorted{std::vector<std::int32_t>(clusters + 1), {}};
  for (const std::int32_t label : labels) {
    if (label >= 0) {
      ++sorted.offsets.at(static_cast<std::size_t>(label) + 1);
    }
  }
  for (std::size_t cluster = 0; cluster < clusters; ++cluster) {
    sorted.offsets[cluster + 1] += sorted.offsets[cluster];
  }
  sorted.tokens.resize(static_cast<std::size_t>(sorted.offsets.back()));
  std::vector<std::int32_t> next(sorted.offsets.begin(), sorted.offsets.end() - 1);
  for (std::size_t token = 0; token < labels.size(); ++token) {
    if (labels[token] >= 0) {
      std::int32_t& place = next[static_cast<std::size_t>(labels[token])];
      sorted.tokens[static_cast<std::size_t>(place++)] = static_cast<std::int32_t>(token);
    }
  }
  return sorted;
}

/// One piece of a cluster in one tile of directions.
struct PieceJob {
  const float* hidden;         // of token 0, at the tile's first direction
  std::size_t width;           // of a token
  const std::int32_t* tokens;  // of the piece
  std::size_t count;
  std::size_t directions;  // of the tile
  const float* means;      // [directions]; null: sum the values themselves
  float* totals;           // [directions], to which the piece's sums are added
};

SWITCHYARD_ISA_BODY void add_piece_body(const PieceJob& job) {
  float sums[kTile] = {};
  for (std::size_t row = 0; row < job.count; ++row) {
    const float* const values = job.hidden + static_cast<std::size_t>(job.tokens[row]) * job.width;
    if (job.means == nullptr) {
      for (std::size_t at = 0; at < job.directions; ++at) {
        sums[at] += values[at];
      }
    } else {
      for (std::size_t at = 0; at < job.directions; ++at) {
        sums[at] += std::fabs(values[at] - job.means[at]);
      }
    }
  }
  for (std::size_t at = 0; at < job.directions; ++at) {
    job.totals[at] += sums[at];
  }
}

SWITCHYARD_ISA_VERSIONS(add_piece, PieceJob)

/// Adds all pieces of `tokens` to the totals of the job.
void add_tokens(std::span<const std::int32_t> tokens, PieceJob job) {
  for (std::size_t begin = 0; begin < tokens.size(); begin += kClusterPiece) {
    job.tokens = tokens.data() + begin;
    job.count = std::min<std::size_t>(kClusterPiece, tokens.size() - begin);
    add_piece(job);
  }
}

class Statistics {
 public:
  Statistics(MatrixView<const float> hidden,
             std::span<const std::int32_t> labels,
             std::size_t clusters,
             const ClusterWeightOptions& options)
      : hidden_(hidden),
        sorted_(sort_by_cluster(labels, clusters)),
        tiles_((hidden.columns() + kTile - 1) / kTile),
        weights_(clusters, hidden.columns()),
        tile_sums_(clusters * tiles_) {
    rules_.clusters = static_cast<std::int32_t>(clusters);
    rules_.used_clusters = static_cast<std::int32_t>(options.used_clusters);
    rules_.is_compatible = options.is_compatible;
    rules_.is_language = options.normalisation == ClusterNormalisation::Language;
    for (std::size_t cluster = 0; cluster < clusters; ++cluster) {
      counted_ += is_counted(cluster) ? 1 : 0;
    }
  }

  Matrix<float> weights() && {
#pragma omp parallel for schedule(static) if (hidden_.rows() >= kParallelFromTokens)
    for (std::size_t tile = 0; tile < tiles_; ++tile) {
      measure(tile);
    }
    if (counted_ > 0) {
      const float mean = mean_weight();
      for (std::size_t at = 0; at < weights_.columns(); ++at) {
        normalise(at, mean);
      }
    }
    return std::move(weights_);
  }

 private:
  [[nodiscard]] std::int32_t tokens_of(std::size_t cluster) const {
    return sorted_.offsets[cluster + 1] - sorted_.offsets[cluster];
  }

  [[nodiscard]] bool is_counted(std::size_t cluster) const {
    return is_cluster_counted(rules_, static_cast<std::int32_t>(cluster), tokens_of(cluster));
  }

  /// Inverse deviations of a tile, not yet clipped.
  void measure(std::size_t tile) {
    const std::size_t first = tile * kTile;
    const std::size_t directions = std::min(kTile, hidden_.columns() - first);
    for (std::size_t cluster = 0; cluster < weights_.rows(); ++cluster) {
      const std::int32_t tokens = tokens_of(cluster);
      std::array<float, kTile> means{};
      std::array<float, kTile> deviations{};
      PieceJob job{.hidden = hidden_.values().data() + first,
                   .width = hidden_.columns(),
                   .tokens = {},
                   .count = {},
                   .directions = directions,
                   .means = nullptr,
                   .totals = means.data()};
      add_pieces(cluster, job);
      for (float& mean : means) {
        mean = mean_of_cluster(mean, tokens);
      }
      job.means = means.data();
      job.totals = deviations.data();
      add_pieces(cluster, job);
      std::array<float, kTile> inverses{};
      for (std::size_t at = 0; at < directions; ++at) {
        inverses[at] = inverse_deviation(mean_of_cluster(deviations[at], tokens));
        weights_(cluster, first + at) = is_counted(cluster) ? inverses[at] : 1.0F;
      }
      tile_sums_[cluster * tiles_ + tile] =
          is_counted(cluster) ? pairwise_sum(inverses.data(), kClusterTile) : 0.0F;
    }
  }

  void add_pieces(std::size_t cluster, const PieceJob& job) const {
    const auto tokens = static_cast<std::size_t>(tokens_of(cluster));
    add_tokens(std::span(sorted_.tokens)
                   .subspan(static_cast<std::size_t>(sorted_.offsets[cluster]), tokens),
               job);
  }

  [[nodiscard]] float mean_weight() const {
    std::array<float, kTile> sums{};
    for (std::size_t at = 0; at < tile_sums_.size(); ++at) {
      sums[at % kTile] = add_rounded(sums[at % kTile], tile_sums_[at]);
    }
    const float total = pairwise_sum(sums.data(), kClusterTile);
    const auto width = static_cast<std::int32_t>(weights_.columns());
    return divide_rounded(total, static_cast<float>(counted_ * width));
  }

  void normalise(std::size_t at, float mean) {
    ColumnMean column;
    for (std::size_t cluster = 0; cluster < weights_.rows(); ++cluster) {
      if (is_counted(cluster)) {
        weights_(cluster, at) = clipped_weight(weights_(cluster, at), mean, rules_.is_language);
        column.add(weights_(cluster, at));
      }
    }
    const float divisor = column.mean();
    for (std::size_t cluster = 0; rules_.is_language && cluster < weights_.rows(); ++cluster) {
      if (is_counted(cluster)) {
        weights_(cluster, at) = divide_rounded(weights_(cluster, at), divisor);
      }
    }
  }

  MatrixView<const float> hidden_;
  TokensByCluster sorted_;
  std::size_t tiles_;
  Matrix<float> weights_;
  std::vector<float> tile_sums_;  // [clusters, tiles]
  ClusterArguments rules_;
  std::int32_t counted_ = 0;
};

}  // namespace

Matrix<float> cluster_weights(MatrixView<const float> hidden,
                              std::span<const std::int32_t> labels,
                              std::size_t clusters,
                              const ClusterWeightOptions& options) {
  SWITCHYARD_CHECK(labels.size() == hidden.rows(), "one label for each token");
  return Statistics(hidden, labels, clusters, options).weights();
}

Matrix<float> segment_means(MatrixView<const float> hidden, std::span<const std::int32_t> starts) {
  SWITCHYARD_CHECK(!starts.empty() && static_cast<std::size_t>(starts.back()) == hidden.rows(),
                   "segments that cover the tokens");
  const std::size_t segments = starts.size() - 1;
  Matrix<float> means(segments, hidden.columns());
  std::vector<std::int32_t> tokens(hidden.rows());
  std::iota(tokens.begin(), tokens.end(), 0);
#pragma omp parallel for schedule(static) if (hidden.rows() >= kParallelFromTokens)
  for (std::size_t segment = 0; segment < segments; ++segment) {
    const auto begin = static_cast<std::size_t>(starts[segment]);
    const auto count = static_cast<std::size_t>(starts[segment + 1]) - begin;
    for (std::size_t first = 0; first < hidden.columns(); first += kTile) {
      add_tokens(std::span(tokens).subspan(begin, count),
                 {.hidden = hidden.values().data() + first,
                  .width = hidden.columns(),
                  .tokens = {},
                  .count = {},
                  .directions = std::min(kTile, hidden.columns() - first),
                  .means = nullptr,
                  .totals = means.row(segment).data() + first});
    }
    for (float& mean : means.row(segment)) {
      mean = mean_of_cluster(mean, static_cast<std::int32_t>(count));
    }
  }
  return means;
}

}  // namespace switchyard
