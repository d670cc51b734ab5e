#include "kernels/stages/grouped_pooling.hpp"

#include <array>
#include <cmath>

#include "kernels/hidden/grouped_pooling_launch.hpp"
#include "kernels/selection/isa_versions.hpp"
#include "kernels/selection/parallel_rows.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kPoolingLanes = 32;

/// One block of one token; sums go on from what they were.
struct BlockJob {
  const float* values;
  std::size_t count;
  float* sums;     // [kPoolingLanes]
  float* squares;  // [kPoolingLanes]
};

SWITCHYARD_ISA_BODY void add_block_body(const BlockJob& job) {
  float sums[kPoolingLanes] = {};
  float squares[kPoolingLanes];
  for (std::size_t lane = 0; lane < kPoolingLanes; ++lane) {
    squares[lane] = job.squares[lane];
  }
  std::size_t first = 0;
  for (; first + kPoolingLanes <= job.count; first += kPoolingLanes) {
    for (std::size_t lane = 0; lane < kPoolingLanes; ++lane) {
      const float value = job.values[first + lane];
      sums[lane] = add_rounded(sums[lane], value);
      squares[lane] = multiply_add_rounded(value, value, squares[lane]);
    }
  }
  for (std::size_t lane = 0; first + lane < job.count; ++lane) {
    const float value = job.values[first + lane];
    sums[lane] = add_rounded(sums[lane], value);
    squares[lane] = multiply_add_rounded(value, value, squares[lane]);
  }
  for (std::size_t lane = 0; lane < kPoolingLanes; ++lane) {
    job.sums[lane] = sums[lane];
    job.squares[lane] = squares[lane];
  }
}

SWITCHYARD_ISA_VERSIONS(add_block, BlockJob)

/// Spoils the lanes.
float sum_by_halves(float* lanes) {
  for (std::size_t half = kPoolingLanes / 2; half > 0; half /= 2) {
    for (std::size_t lane = 0; lane < half; ++lane) {
      lanes[lane] = add_rounded(lanes[lane], lanes[lane + half]);
    }
  }
  return lanes[0];
}

Matrix<float> pool(MatrixView<const float> hidden, std::size_t experts, bool is_affinity) {
  const std::vector<std::int32_t> starts = block_starts(experts, hidden.columns());
  Matrix<float> scores(hidden.rows(), experts);
  for_each_token(
      hidden.rows(),
      [] { return std::array<float, kPoolingLanes>(); },
      [&](std::size_t token, std::array<float, kPoolingLanes>& lanes) {
        std::array<float, kPoolingLanes> squares{};
        const auto row = scores.row(token);
        for (std::size_t expert = 0; expert < experts; ++expert) {
          const auto first = static_cast<std::size_t>(starts[expert]);
          const auto last = static_cast<std::size_t>(starts[expert + 1]);
          add_block({hidden.row(token).data() + first, last - first, lanes.data(), squares.data()});
          row[expert] = sum_by_halves(lanes.data());
        }
        const float square = sum_by_halves(squares.data());
        for (std::size_t expert = 0; expert < experts; ++expert) {
          row[expert] =
              pooled_score(row[expert], starts[expert + 1] - starts[expert], square, is_affinity);
        }
      });
  return scores;
}

double exponent_of(std::size_t hidden, double largest_cosine) {
  const double square = largest_cosine * largest_cosine;
  return static_cast<double>(hidden) * square / (2 - square);
}

}  // namespace

std::vector<std::int32_t> block_starts(std::size_t experts, std::size_t width) {
  std::vector<std::int32_t> starts;
  for (std::size_t expert = 0; expert <= experts; ++expert) {
    starts.push_back(static_cast<std::int32_t>(width * expert / experts));
  }
  return starts;
}

Matrix<float> grouped_means(MatrixView<const float> hidden, std::size_t experts) {
  return pool(hidden, experts, false);
}

Matrix<float> grouped_affinity(MatrixView<const float> hidden, std::size_t experts) {
  return pool(hidden, experts, true);
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

std::vector<float> LocalityBias::of_all(std::size_t experts, std::int64_t source_rank) const {
  std::vector<float> all(experts);
  for (std::size_t expert = 0; expert < experts; ++expert) {
    all[expert] = of(expert, experts, source_rank);
  }
  return all;
}

}  // namespace switchyard
