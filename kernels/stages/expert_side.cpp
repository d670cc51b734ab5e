#include "kernels/stages/expert_side.hpp"

#include <algorithm>

#include "kernels/device/router_math.cuh"
#include "kernels/selection/row_selection.hpp"

namespace switchyard {

std::vector<std::vector<std::int32_t>> best_tokens(const Matrix<float>& scores,
                                                   std::span<const std::size_t> capacity) {
  std::vector<std::vector<std::int32_t>> chosen(scores.rows());
#pragma omp parallel for schedule(static)
  for (std::size_t expert = 0; expert < scores.rows(); ++expert) {
    std::vector<std::int32_t>& tokens = chosen[expert];
    tokens.resize(std::min(capacity[expert], scores.columns()));
    if (!tokens.empty()) {
      RowSelector(scores.columns(), tokens.size()).select(scores.row(expert), tokens);
      tokens.erase(std::find(tokens.begin(), tokens.end(), kNoExpert), tokens.end());
    }
  }
  return chosen;
}

RoutingDecision by_token(const std::vector<std::vector<std::int32_t>>& tokens_of_expert,
                         const Matrix<float>& scores,
                         std::size_t width) {
  Matrix<std::uint64_t> keys(scores.columns(), width, 0);  // descending in each row
  for (std::size_t expert = 0; expert < tokens_of_expert.size(); ++expert) {
    for (const std::int32_t token : tokens_of_expert[expert]) {
      const auto row = keys.row(static_cast<std::size_t>(token));
      std::uint64_t key = selection_key(scores(expert, static_cast<std::size_t>(token)),
                                        static_cast<std::uint32_t>(expert));
      for (std::uint64_t& place : row) {
        if (key > place) {
          std::swap(key, place);
        }
      }
    }
  }
  RoutingDecision decision = RoutingDecision::empty(scores.columns(), width);
  for (std::size_t token = 0; token < keys.rows(); ++token) {
    for (std::size_t slot = 0; slot < width && keys(token, slot) != 0; ++slot) {
      const std::uint32_t expert = expert_of_selection_key(keys(token, slot));
      decision.expert_ids(token, slot) = static_cast<std::int32_t>(expert);
      decision.weights(token, slot) = scores(expert, token);
    }
  }
  return decision;
}

}  // namespace switchyard
