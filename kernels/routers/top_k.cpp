// The k best logits of each token, weighed by softmax. "Softmax, then top-k, then renormalise" and
// "top-k, then softmax" are the same function, so one flag covers both orders.
#include "kernels/device/top_k_on_device.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

class TopKRouter final : public Router {
 public:
  explicit TopKRouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 2, {1, 1024}, "experts kept for each token"))),
        renormalise_(parameters.get_flag("renormalise",
                                         true,
                                         "true: softmax over the kept experts only (weights sum to "
                                         "one); false: softmax over all experts")),
        scale_(static_cast<float>(
            parameters.get_number("scale", 1.0, {0.0, 1e6}, "factor on every weight"))),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const std::size_t tokens = input.logits.rows();
    const std::size_t experts = input.logits.columns();
    if (takes_gpu(executor_, experts, k_, kTopKRoom)) {
      return top_k_on_device(input.logits,
                             {.slots = k_, .is_renormalised = renormalise_, .scale = scale_});
    }
    RoutingDecision decision = RoutingDecision::empty(tokens, k_);
    for_each_token(
        tokens,
        [&] { return RowSelector(experts, k_); },
        [&](std::size_t token, RowSelector& selector) {
          const auto logits = input.logits.row(token);
          const auto ids = decision.expert_ids.row(token);
          const auto weights = decision.weights.row(token);
          selector.select(logits, ids);
          if (renormalise_) {
            softmax_of_chosen(logits, ids, weights);
          } else {
            softmax_of_all(logits, ids, weights);
          }
          for (float& weight : weights) {
            weight *= scale_;
          }
        });
    return decision;
  }

 private:
  std::size_t k_;
  bool renormalise_;
  float scale_;
  Executor executor_;
};

const Register<Router, TopKRouter> kTopK{"top_k", "the k best logits, softmax weights"};

}  // namespace
}  // namespace switchyard
