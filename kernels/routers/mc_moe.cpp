// MC-MoE's online dynamic pruning (ICLR 2025, arXiv 2410.06270, section 3.3): the second expert is
// left out where its weight is below `ratio` times the first's, except for the most important
// tokens. The paper's importance is the token's L1 norm times the attention it receives; a trace
// has no attention, so the norm alone decides.
#include <array>
#include <cmath>

#include "kernels/device/expert_side_on_device.hpp"
#include "kernels/device/top_k_on_device.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/row_sums.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

class McMoERouter final : public Router {
 public:
  explicit McMoERouter(Parameters& parameters)
      : ratio_(static_cast<float>(
            parameters.get_number("ratio",
                                  0.5,
                                  {0.0, 1.0},
                                  "second weight over first below which the second expert is left "
                                  "out; the paper takes the median of each layer, 0.40 to 0.62"))),
        protected_(parameters.get_number(
            "protected", 0.02, {0.0, 1.0}, "share of tokens, the most important, that keep both")),
        first_layer_(parameters.get_integer(
            "first_layer", 0, {0, 1 << 20}, "first layer in which experts are left out")),
        last_layer_(parameters.get_integer(
            "last_layer", 1 << 20, {0, 1 << 20}, "last layer in which experts are left out")),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return 2; }

  [[nodiscard]] bool needs_hidden() const override { return true; }

  [[nodiscard]] bool needs_logits() const override { return true; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const bool prunes = input.layer >= first_layer_ && input.layer <= last_layer_;
    if (takes_gpu(executor_, input.logits.columns(), 2, kRowRoom)) {
      return prunes ? prune_on_device(input) : top_k_on_device(input.logits, {.slots = 2});
    }
    const std::vector<bool> keeps_both = important_tokens(input.hidden);
    RoutingDecision decision = RoutingDecision::empty(input.logits.rows(), 2);
    for_each_token(
        input.logits.rows(),
        [&] { return RowSelector(input.logits.columns(), 2); },
        [&](std::size_t token, RowSelector& selector) {
          const auto ids = decision.expert_ids.row(token);
          const auto weights = decision.weights.row(token);
          selector.select(input.logits.row(token), ids);
          softmax_of_chosen(input.logits.row(token), ids, weights);
          if (prunes && !keeps_both[token] && ids[1] != kNoExpert &&
              weights[1] < ratio_ * weights[0]) {
            ids[1] = kNoExpert;
            weights[0] = 1.0F;
            weights[1] = 0.0F;
          }
        });
    return decision;
  }

 private:
  [[nodiscard]] std::size_t protected_tokens(std::size_t tokens) const {
    return static_cast<std::size_t>(std::ceil(protected_ * static_cast<double>(tokens)));
  }

  [[nodiscard]] RoutingDecision prune_on_device(const RouterInput& input) const {
    RowsOnDevice rows(input.logits, 2);
    const DeviceArray<float> norms = magnitude_sums_on_device(rows.device(), input.hidden);
    RowArguments arguments = rows.arguments();
    const std::array<std::int32_t, 1> count{
        static_cast<std::int32_t>(protected_tokens(input.hidden.rows()))};
    const TokenThresholds important(rows.device(), norms.address(), arguments.tokens, count);
    arguments.threshold = ratio_;
    arguments.token_scores = norms.address();
    arguments.token_threshold = important.address();
    rows.route("mc_moe", arguments);
    return rows.decision();
  }

  [[nodiscard]] std::vector<bool> important_tokens(MatrixView<const float> hidden) const {
    const std::size_t tokens = hidden.rows();
    std::vector<bool> important(tokens, false);
    const std::vector<float> norms = magnitude_sums(hidden);
    const std::size_t count = protected_tokens(tokens);
    std::vector<std::int32_t> best(count);
    if (count > 0) {
      RowSelector(tokens, count).select(norms, best);
    }
    for (const std::int32_t token : best) {
      if (token != kNoExpert) {
        important[static_cast<std::size_t>(token)] = true;
      }
    }
    return important;
  }

  float ratio_;
  double protected_;
  std::int64_t first_layer_;
  std::int64_t last_layer_;
  Executor executor_;
};

const Register<Router, McMoERouter> kMcMoE{
    "mc_moe", "two experts, the second left out where its weight is small (MC-MoE)"};

}  // namespace
}  // namespace switchyard
