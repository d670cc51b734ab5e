// Selection from the experts' side, where an expert takes tokens: shared by the routers in which
// tokens, or tokens and experts both, are chosen that way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix.hpp"
#include "kernels/router.hpp"

namespace switchyard {

/// For each expert the `capacity[expert]` best tokens of its row of `scores` [experts, tokens],
/// best first; ties to the lower token index. NaN and -infinity: not a candidate.
std::vector<std::vector<std::int32_t>> best_tokens(const Matrix<float>& scores,
                                                   std::span<const std::size_t> capacity);

/// The same choices from the tokens' side: each token's experts, best first, weighed by score. A
/// token taken by more than `width` experts keeps the best of them; the others' places stay empty.
RoutingDecision by_token(const std::vector<std::vector<std::int32_t>>& tokens_of_expert,
                         const Matrix<float>& scores,
                         std::size_t width);

}  // namespace switchyard
