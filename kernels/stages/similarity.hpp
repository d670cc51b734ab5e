// How alike experts are, as the orthogonal optimizer OMoE (arXiv 2310.09762) measures and fights
// it: 0 for orthogonal rows, 1 for equal ones.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/matrix.hpp"

namespace switchyard {

/// Mean cosine over all pairs of rows; rows without length are left out. None for fewer than two.
std::optional<double> mean_pairwise_cosine(MatrixView<const float> rows);

/// The same for the experts' mean routed tokens: hidden [tokens, width], best experts [tokens] in
/// [0, experts) or kNoExpert.
std::optional<double> routed_similarity(MatrixView<const float> hidden,
                                        std::span<const std::int32_t> best_experts,
                                        std::size_t experts);

}  // namespace switchyard
