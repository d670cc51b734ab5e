// LocMoE (arXiv 2401.13920): block means of the hidden state as logits (no trained gate), softmax,
// one expert per token, with a preference for experts on the token's own node, which is what the
// paper's locality loss trains towards.
#include "kernels/device/executor_choice.hpp"
#include "kernels/hidden/pooled_gate.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"
#include "kernels/stages/grouped_pooling.hpp"

namespace switchyard {
namespace {

class LocMoERouter final : public Router {
 public:
  explicit LocMoERouter(Parameters& parameters)
      : locality_(parameters), executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return 1; }

  [[nodiscard]] bool needs_hidden() const override { return true; }

  void check_shape(std::size_t experts, std::size_t hidden) const override {
    Router::check_shape(experts, hidden);
    check_grouped_pooling(experts, hidden);
  }

  /// The block means, before the preference for near experts.
  [[nodiscard]] Matrix<float> own_logits(MatrixView<const float> hidden,
                                         std::size_t experts) const override {
    return grouped_means(hidden, experts);
  }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const std::size_t experts = input.gate.rows();
    const std::vector<float> bias = locality_.of_all(experts, input.source_rank);
    if (takes_gpu(executor_, experts, 1, kPooledRoom)) {
      return route_means_on_device(input.hidden, bias);
    }
    Matrix<float> logits = grouped_means(input.hidden, experts);
    RoutingDecision decision = RoutingDecision::empty(logits.rows(), 1);
    for_each_token(
        logits.rows(),
        [&] { return RowSelector(experts, 1); },
        [&](std::size_t token, RowSelector& selector) {
          const auto row = logits.row(token);
          for (std::size_t expert = 0; expert < experts; ++expert) {
            row[expert] += bias[expert];
          }
          selector.select(row, decision.expert_ids.row(token));
          softmax_of_all(row, decision.expert_ids.row(token), decision.weights.row(token));
        });
    return decision;
  }

 private:
  LocalityBias locality_;
  Executor executor_;
};

const Register<Router, LocMoERouter> kLocMoE{
    "locmoe", "block means as logits, one expert, near ones preferred (LocMoE)"};

}  // namespace
}  // namespace switchyard
