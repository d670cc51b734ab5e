#include "kernels/stages/grouped_pooling.hpp"

#include <cmath>

#include "kernels/selection/parallel_rows.hpp"

namespace switchyard {
namespace {

/// First coordinate of expert i's block.
std::size_t block_start(std::size_t expert, std::size_t experts, std::size_t hidden) {
  return hidden * expert / experts;
}

double block_sum(std::span<const float> token, std::size_t first, std::size_t last) {
  double sum = 0;
  for (std::size_t at = first; at < last; ++at) {
    sum += double{token[at]};
  }
  return sum;
}

/// score(sum of the block, its size, norm of the token) for each token and expert.
template <class Score>
Matrix<float> pool(MatrixView<const float> hidden, std::size_t experts, const Score& score) {
  Matrix<float> scores(hidden.rows(), experts);
  for_each_token(
      hidden.rows(),
      [] { return 0; },
      [&](std::size_t token, int) {
        const auto row = hidden.row(token);
        double square = 0;
        for (const float value : row) {
          square += double{value} * double{value};
        }
        for (std::size_t expert = 0; expert < experts; ++expert) {
          const std::size_t first = block_start(expert, experts, row.size());
          const std::size_t last = block_start(expert + 1, experts, row.size());
          scores(token, expert) = static_cast<float>(score(
              block_sum(row, first, last), static_cast<double>(last - first), std::sqrt(square)));
        }
      });
  return scores;
}

double exponent_of(std::size_t hidden, double largest_cosine) {
  const double square = largest_cosine * largest_cosine;
  return static_cast<double>(hidden) * square / (2 - square);
}

}  // namespace

Matrix<float> grouped_means(MatrixView<const float> hidden, std::size_t experts) {
  return pool(hidden, experts, [](double sum, double size, double) { return sum / size; });
}

Matrix<float> grouped_affinity(MatrixView<const float> hidden, std::size_t experts) {
  return pool(hidden, experts, [](double sum, double size, double norm) {
    return norm == 0 ? 0.0 : sum / (std::sqrt(size) * norm);
  });
}

void check_grouped_pooling(std::size_t experts, std::size_t hidden) {
  if (hidden < experts) {
    throw InvalidInput("grouped pooling gives each of " + std::to_string(experts) +
                           " experts a block of a hidden state, which has only " +
                           std::to_string(hidden) + " coordinates",
                       {},
                       "use wider hidden states or fewer experts");
  }
}

double resonance_capacity_bound(std::size_t experts, std::size_t hidden, double largest_cosine) {
  return std::exp(exponent_of(hidden, largest_cosine)) / static_cast<double>(experts);
}

double locmoe_capacity_bound(std::size_t experts, std::size_t hidden, double largest_cosine) {
  return 1.0 /
         (static_cast<double>(experts) * std::erfc(std::sqrt(exponent_of(hidden, largest_cosine))));
}

LocalityBias::LocalityBias(Parameters& parameters)
    : strength_(static_cast<float>(parameters.get_number(
          "locality", 0.0, {0.0, 1e6}, "added to the score of experts on the token's own node"))),
      ranks_(parameters.get_integer(
          "ranks", 1, {1, 1 << 20}, "ranks over which the experts lie, contiguously")),
      ranks_per_node_(
          parameters.get_integer("ranks_per_node", 1, {1, 1 << 20}, "ranks of a node")) {}

float LocalityBias::of(std::size_t expert, std::size_t experts, std::int64_t source_rank) const {
  const auto rank = static_cast<std::int64_t>(expert) * ranks_ / static_cast<std::int64_t>(experts);
  return rank / ranks_per_node_ == source_rank / ranks_per_node_ ? strength_ : 0.0F;
}

}  // namespace switchyard
