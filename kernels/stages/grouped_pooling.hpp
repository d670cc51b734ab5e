// The grouped average pooling gate (GrAP) of LocMoE (arXiv 2401.13920) and Expert-Token Resonance
// (arXiv 2406.00023), which has no trained weights: expert i looks at the i-th block of consecutive
// coordinates. Also the two papers' lower bounds of the capacity.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/components/parameters.hpp"
#include "core/matrix.hpp"

namespace switchyard {

/// First coordinate of each expert's block, and the width as the end of the last one.
std::vector<std::int32_t> block_starts(std::size_t experts, std::size_t width);

/// Block means, [tokens, experts]: LocMoE's logits. Blocks differ by one coordinate where the width
/// is no multiple of the number of experts; there must be at least one coordinate for each.
Matrix<float> grouped_means(MatrixView<const float> hidden, std::size_t experts);

/// Cosine between each token and each expert's block indicator, [tokens, experts]: ETR's affinity
/// (section 3.1). The squares of a row sum to at most 1; a zero token has affinity 0. In float32,
/// in the order of kernels/hidden/grouped_pooling_launch.hpp: a norm beyond 1.8e19 counts as
/// infinite.
Matrix<float> grouped_affinity(MatrixView<const float> hidden, std::size_t experts);

/// Throws InvalidInput if a hidden state has fewer coordinates than there are experts.
void check_grouped_pooling(std::size_t experts, std::size_t hidden);

/// ETR, remark 7: exp(d m^2 / (2 - m^2)) / experts, for the largest cosine m in [0, 1]. The paper
/// does not say whether that is a number of tokens or a capacity factor.
double resonance_capacity_bound(std::size_t experts, std::size_t hidden, double largest_cosine);

/// LocMoE's bound for large widths: 1 / (experts * erfc(sqrt(d m^2 / (2 - m^2)))). Infinite once
/// erfc underflows.
double locmoe_capacity_bound(std::size_t experts, std::size_t hidden, double largest_cosine);

/// Preference for experts near the token: what the locality losses of both papers train towards.
/// Experts lie contiguously on the ranks.
class LocalityBias {
 public:
  /// Reads `locality`, `ranks` and `ranks_per_node`.
  explicit LocalityBias(Parameters& parameters);

  /// Added to a score of `expert` for a token on `source_rank`.
  [[nodiscard]] float of(std::size_t expert, std::size_t experts, std::int64_t source_rank) const;

  /// The same for all experts.
  [[nodiscard]] std::vector<float> of_all(std::size_t experts, std::int64_t source_rank) const;

 private:
  float strength_;
  std::int64_t ranks_;
  std::int64_t ranks_per_node_;
};

}  // namespace switchyard
