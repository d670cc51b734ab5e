// Sigmoid scores with a correction bias (DeepSeek-V3, arXiv 2412.19437, equations 13 to 16): the
// bias decides who is chosen, the unbiased scores of the chosen are normalised into weights. A
// logit that is not a number, or -infinity, is never chosen, whatever its bias.
#include <limits>

#include "kernels/device/rows_on_device.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/selection_bias.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

class SigmoidBiasRouter final : public Router {
 public:
  explicit SigmoidBiasRouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 8, {1, 1024}, "experts kept for each token"))),
        renormalise_(parameters.get_flag(
            "renormalise", true, "divide the kept scores by their sum, so that they sum to one")),
        scale_(static_cast<float>(
            parameters.get_number("scale", 1.0, {0, 1e6}, "factor on every weight"))),
        bias_(parameters),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  void check_shape(std::size_t experts, std::size_t hidden) const override {
    Router::check_shape(experts, hidden);
    bias_.check_experts(experts);
  }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    if (takes_gpu(executor_, input.logits.columns(), k_, kRowRoom)) {
      return route_on_device(input);
    }
    Matrix<float> scores(input.logits.rows(), input.logits.columns());
    for_each_token(
        scores.rows(),
        [] { return 0; },
        [&](std::size_t token, int) { sigmoid_row(input.logits.row(token), scores.row(token)); });
    RoutingDecision decision = RoutingDecision::empty(scores.rows(), k_);
    std::vector<float> bias = bias_.start(scores.columns());
    select(input, scores, bias, decision);
    for (std::int64_t round = 0; round < bias_.rounds(); ++round) {
      bias_.update(decision.expert_ids.values(), bias);
      select(input, scores, bias, decision);
    }
    return decision;
  }

 private:
  [[nodiscard]] RoutingDecision route_on_device(const RouterInput& input) const {
    RowsOnDevice rows(input.logits, k_);
    DeviceArray<float> terms(rows.device(), input.logits.columns());
    RowArguments arguments = rows.arguments();
    arguments.expert_terms = terms.address();
    arguments.scale = scale_;
    arguments.is_renormalised = renormalise_;
    std::vector<float> bias = bias_.start(input.logits.columns());
    terms.upload(bias);
    rows.route("sigmoid_bias", arguments);
    RoutingDecision decision = rows.decision();
    for (std::int64_t round = 0; round < bias_.rounds(); ++round) {
      bias_.update(decision.expert_ids.values(), bias);
      terms.upload(bias);
      rows.route("sigmoid_bias", arguments);
      decision = rows.decision();
    }
    return decision;
  }

  void select(const RouterInput& input,
              const Matrix<float>& scores,
              const std::vector<float>& bias,
              RoutingDecision& decision) const {
    struct Scratch {
      RowSelector selector;
      std::vector<float> biased;
    };

    const std::size_t experts = scores.columns();
    for_each_token(
        scores.rows(),
        [&] {
          return Scratch{RowSelector(experts, k_), std::vector<float>(experts)};
        },
        [&](std::size_t token, Scratch& scratch) {
          for (std::size_t expert = 0; expert < experts; ++expert) {
            const bool is_valid = input.logits(token, expert) > kMinusInfinity;
            scratch.biased[expert] =
                is_valid ? scores(token, expert) + bias[expert] : kMinusInfinity;
          }
          const auto ids = decision.expert_ids.row(token);
          const auto weights = decision.weights.row(token);
          scratch.selector.select(scratch.biased, ids);
          take_chosen(scores.row(token), ids, weights);
          if (renormalise_) {
            normalise_row(weights);
          }
          for (float& weight : weights) {
            weight *= scale_;
          }
        });
  }

  std::size_t k_;
  bool renormalise_;
  float scale_;
  SelectionBias bias_;
  Executor executor_;
};

const Register<Router, SigmoidBiasRouter> kSigmoidBias{
    "sigmoid_bias", "sigmoid scores, selection with a correction bias (DeepSeek-V3)"};

}  // namespace
}  // namespace switchyard
