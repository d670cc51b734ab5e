// Mixture of depths (Raposo et al. 2024, arXiv 2404.02258) around an ordinary top-k: in every other
// layer only a share of the tokens takes part, those of highest score; the rest skips the layer.
// The paper scores with a vector of its own; here it is the mean of the gate's rows, so a token's
// score is the mean of its logits.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

class MixtureOfDepthsRouter final : public Router {
 public:
  explicit MixtureOfDepthsRouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 2, {1, 1024}, "experts kept for each token"))),
        capacity_(parameters.get_number(
            "capacity", 0.125, {0.0, 1.0}, "share of the tokens that take part in a sparse layer")),
        every_(parameters.get_integer(
            "every", 2, {1, 1 << 20}, "every n-th layer is sparse, starting with the n-th")) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const std::size_t tokens = input.logits.rows();
    RoutingDecision decision = RoutingDecision::empty(tokens, k_);
    decision.alive = (input.layer + 1) % every_ == 0 ? best_tokens(input.logits)
                                                     : std::vector<std::uint8_t>(tokens, 1);
    for_each_token(
        tokens,
        [&] { return RowSelector(input.logits.columns(), k_); },
        [&](std::size_t token, RowSelector& selector) {
          if (decision.alive[token] != 0) {
            selector.select(input.logits.row(token), decision.expert_ids.row(token));
            softmax_of_chosen(input.logits.row(token),
                              decision.expert_ids.row(token),
                              decision.weights.row(token));
          }
        });
    return decision;
  }

 private:
  /// 1 for the tokens of highest mean logit.
  [[nodiscard]] std::vector<std::uint8_t> best_tokens(MatrixView<const float> logits) const {
    const std::size_t tokens = logits.rows();
    std::vector<float> scores;
    for (std::size_t token = 0; token < tokens; ++token) {
      double sum = 0;
      for (const float logit : logits.row(token)) {
        sum += double{logit};
      }
      scores.push_back(static_cast<float>(sum / static_cast<double>(logits.columns())));
    }
    const auto count = static_cast<std::size_t>(std::ceil(capacity_ * static_cast<double>(tokens)));
    std::vector<std::uint8_t> alive(tokens, 0);
    std::vector<std::int32_t> best(count);
    if (count > 0) {
      RowSelector(tokens, count).select(scores, best);
    }
    for (const std::int32_t token : best) {
      if (token != kNoExpert) {
        alive[static_cast<std::size_t>(token)] = 1;
      }
    }
    return alive;
  }

  std::size_t k_;
  double capacity_;
  std::int64_t every_;
};

const Register<Router, MixtureOfDepthsRouter> kMixtureOfDepths{
    "mixture_of_depths", "top-k for a share of the tokens, the others skip the layer"};

}  // namespace
}  // namespace switchyard
