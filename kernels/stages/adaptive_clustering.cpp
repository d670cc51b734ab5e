// Two passes over the hidden states: means, then mean absolute deviations. Threads share out the
// directions and each takes tokens in order, in double precision, so sums never depend on how many
// threads there are.
#include "kernels/stages/adaptive_clustering.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/check.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kDirectionsOfBlock = 64;
constexpr double kSmallestDeviation = 1e-4;  // added before inverting, as in the authors' code

/// Mean over tokens of `value(token, direction, cluster)` for each cluster and direction.
template <class Value>
Matrix<double> cluster_means(MatrixView<const float> hidden,
                             std::span<const std::int32_t> labels,
                             std::span<const std::size_t> sizes,
                             const Value& value) {
  Matrix<double> means(sizes.size(), hidden.columns());
  const std::size_t blocks = (hidden.columns() + kDirectionsOfBlock - 1) / kDirectionsOfBlock;
#pragma omp parallel for schedule(static)
  for (std::size_t block = 0; block < blocks; ++block) {
    const std::size_t first = block * kDirectionsOfBlock;
    const std::size_t last = std::min(first + kDirectionsOfBlock, hidden.columns());
    for (std::size_t token = 0; token < hidden.rows(); ++token) {
      if (labels[token] < 0) {
        continue;
      }
      const auto cluster = static_cast<std::size_t>(labels[token]);
      for (std::size_t at = first; at < last; ++at) {
        means(cluster, at) += value(double{hidden(token, at)}, cluster, at);
      }
    }
    for (std::size_t cluster = 0; cluster < sizes.size(); ++cluster) {
      const double count = std::max(1.0, static_cast<double>(sizes[cluster]));
      for (std::size_t at = first; at < last; ++at) {
        means(cluster, at) /= count;
      }
    }
  }
  return means;
}

/// Clips and normalises the rows of `weights` named by `counted`, in place.
void normalise(Matrix<double>& weights,
               const std::vector<std::size_t>& counted,
               ClusterNormalisation normalisation) {
  double sum = 0;
  for (const std::size_t cluster : counted) {
    for (const double weight : weights.row(cluster)) {
      sum += weight;
    }
  }
  const double mean = sum / static_cast<double>(counted.size() * weights.columns());
  const bool is_language = normalisation == ClusterNormalisation::Language;
  const double ceiling = (is_language ? 10.0 : 1.5) * mean;
  for (std::size_t at = 0; at < weights.columns(); ++at) {
    double column = 0;
    for (const std::size_t cluster : counted) {
      weights(cluster, at) = std::min(weights(cluster, at), ceiling);
      column += weights(cluster, at);
    }
    const double divisor = is_language ? column / static_cast<double>(counted.size()) : mean;
    for (const std::size_t cluster : counted) {
      weights(cluster, at) /= divisor;
    }
  }
}

}  // namespace

Matrix<float> cluster_weights(MatrixView<const float> hidden,
                              std::span<const std::int32_t> labels,
                              std::size_t clusters,
                              const ClusterWeightOptions& options) {
  SWITCHYARD_CHECK(labels.size() == hidden.rows(), "one label for each token");
  std::vector<std::size_t> sizes(clusters, 0);
  for (const std::int32_t label : labels) {
    if (label >= 0) {
      ++sizes.at(static_cast<std::size_t>(label));
    }
  }
  const Matrix<double> means =
      cluster_means(hidden, labels, sizes, [](double x, std::size_t, std::size_t) { return x; });
  Matrix<double> weights =
      cluster_means(hidden, labels, sizes, [&means](double x, std::size_t cluster, std::size_t at) {
        return std::abs(x - means(cluster, at));
      });
  std::vector<std::size_t> counted;
  for (std::size_t cluster = 0; cluster < clusters; ++cluster) {
    const bool is_counted =
        options.is_compatible ? cluster < options.used_clusters : sizes[cluster] >= 2;
    if (is_counted) {
      counted.push_back(cluster);
    }
    for (double& weight : weights.row(cluster)) {
      weight = is_counted ? 1.0 / (weight + kSmallestDeviation) : 1.0;
    }
  }
  if (!counted.empty()) {
    normalise(weights, counted, options.normalisation);
  }
  Matrix<float> result(clusters, hidden.columns());
  std::ranges::transform(weights.values(), result.values().begin(), [](double weight) {
    return static_cast<float>(weight);
  });
  return result;
}

}  // namespace switchyard
