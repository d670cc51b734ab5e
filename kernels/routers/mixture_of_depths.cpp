// Mixture of depths (Raposo et al. 2024, arXiv 2404.02258) around an ordinary top-k: in every other
// layer only a share of the tokens takes part, those of highest score; the rest skips the layer.
// The paper scores with a vector of its own; here it is the mean of the gate's rows, so a token's
// score is the mean of its logits.
#include <array>
#include <cmath>
#include <limits>

#include "kernels/device/expert_side_on_device.hpp"
#include "kernels/device/top_k_on_device.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/row_sums.hpp"
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
            "every", 2, {1, 1 << 20}, "every n-th layer is sparse, starting with the n-th")),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const std::size_t tokens = input.logits.rows();
    const bool is_sparse = (input.layer + 1) % every_ == 0;
    if (takes_gpu(executor_, input.logits.columns(), k_, kRowRoom)) {
      return is_sparse ? route_sparse_on_device(input) : route_dense_on_device(input);
    }
    RoutingDecision decision = RoutingDecision::empty(tokens, k_);
    decision.alive = is_sparse ? best_tokens(input.logits) : std::vector<std::uint8_t>(tokens, 1);
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
  [[nodiscard]] std::size_t alive_tokens(std::size_t tokens) const {
    return static_cast<std::size_t>(std::ceil(capacity_ * static_cast<double>(tokens)));
  }

  [[nodiscard]] RoutingDecision route_dense_on_device(const RouterInput& input) const {
    RoutingDecision decision = top_k_on_device(input.logits, {.slots = k_});
    decision.alive.assign(input.logits.rows(), 1);
    return decision;
  }

  [[nodiscard]] RoutingDecision route_sparse_on_device(const RouterInput& input) const {
    RowsOnDevice rows(input.logits, k_);
    const DeviceArray<float> scores = row_means_on_device(rows.device(), input.logits);
    const DeviceArray<std::uint8_t> alive(rows.device(), input.logits.rows());
    RowArguments arguments = rows.arguments();
    const std::array<std::int32_t, 1> count{
        static_cast<std::int32_t>(alive_tokens(input.logits.rows()))};
    const TokenThresholds best(rows.device(), scores.address(), arguments.tokens, count);
    arguments.token_scores = scores.address();
    arguments.token_threshold = best.address();
    arguments.alive = alive.address();
    rows.route("mixture_of_depths", arguments);
    RoutingDecision decision = rows.decision();
    decision.alive = alive.values();
    return decision;
  }

  /// 1 for the tokens of highest mean logit.
  [[nodiscard]] std::vector<std::uint8_t> best_tokens(MatrixView<const float> logits) const {
    const std::size_t tokens = logits.rows();
    const std::vector<float> scores = row_means(logits);
    const std::size_t count = alive_tokens(tokens);
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
  Executor executor_;
};

const Register<Router, MixtureOfDepthsRouter> kMixtureOfDepths{
    "mixture_of_depths", "top-k for a share of the tokens, the others skip the layer"};

}  // namespace
}  // namespace switchyard
