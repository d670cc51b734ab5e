// Top-p routing (Huang et al. 2024, arXiv 2403.07652, equation 4): a token takes as many experts as
// it needs for their softmax to add up to p, so undecided tokens use more of them.
#include "kernels/device/rows_on_device.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

class TopPRouter final : public Router {
 public:
  explicit TopPRouter(Parameters& parameters)
      : p_(static_cast<float>(parameters.get_number(
            "p", 0.4, {0.0, 1.0}, "probability that the experts of a token must add up to"))),
        width_(static_cast<std::size_t>(
            parameters.get_integer("width", 8, {1, 1024}, "most experts of a token"))),
        renormalise_(parameters.get_flag(
            "renormalise", false, "divide the kept probabilities by their sum")),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return width_; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    if (takes_gpu(executor_, input.logits.columns(), width_, kRowRoom)) {
      RowsOnDevice rows(input.logits, width_);
      RowArguments arguments = rows.arguments();
      arguments.threshold = p_;
      arguments.is_renormalised = renormalise_;
      rows.route("top_p", arguments);
      return rows.decision();
    }
    RoutingDecision decision = RoutingDecision::empty(input.logits.rows(), width_);
    for_each_token(
        input.logits.rows(),
        [&] { return RowSelector(input.logits.columns(), width_); },
        [&](std::size_t token, RowSelector& selector) {
          const auto ids = decision.expert_ids.row(token);
          const auto weights = decision.weights.row(token);
          selector.select(input.logits.row(token), ids);
          softmax_of_all(input.logits.row(token), ids, weights);
          float sum = weights[0];
          for (std::size_t slot = 1; slot < width_; ++slot) {
            const bool is_enough = sum >= p_;
            sum += weights[slot];
            if (is_enough) {
              ids[slot] = kNoExpert;
              weights[slot] = 0.0F;
              sum = p_;
            }
          }
          if (renormalise_) {
            normalise_row(weights);
          }
        });
    return decision;
  }

 private:
  float p_;
  std::size_t width_;
  bool renormalise_;
  Executor executor_;
};

const Register<Router, TopPRouter> kTopP{
    "top_p", "as many experts as their probabilities need to reach p (Huang et al. 2024)"};

}  // namespace
}  // namespace switchyard
