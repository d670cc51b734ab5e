#include "kernels/router.hpp"

namespace switchyard {

template class Registry<Router>;

RoutingDecision RoutingDecision::empty(std::size_t tokens, std::size_t top_k) {
  return {.expert_ids = Matrix<std::int32_t>(tokens, top_k, kNoExpert),
          .weights = Matrix<float>(tokens, top_k)};
}

void Router::check_shape(std::size_t experts, std::size_t /*hidden*/) const {
  if (experts < top_k()) {
    throw InvalidInput("a router that keeps " + std::to_string(top_k()) +
                           " experts per token needs at least as many experts, not " +
                           std::to_string(experts),
                       {},
                       "lower k or raise the number of experts");
  }
}

}  // namespace switchyard
