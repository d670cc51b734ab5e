// Instance-level routing as in Intuition-MoR1E (arXiv 2404.08985): all tokens of a sequence share
// one decision, made from the sequence's mean embedding. The gate is linear, so the mean of the
// tokens' logits is the logit of their mean. Without sequence ids the chunk is one sequence.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "kernels/router.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

class MoR1ERouter final : public Router {
 public:
  explicit MoR1ERouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 2, {1, 1024}, "experts kept for each sequence"))) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    RoutingDecision decision = RoutingDecision::empty(input.logits.rows(), k_);
    std::map<std::int64_t, std::vector<std::size_t>> sequences;
    for (std::size_t token = 0; token < input.logits.rows(); ++token) {
      sequences[input.sequence_ids.empty() ? 0 : input.sequence_ids[token]].push_back(token);
    }
    RowSelector selector(input.logits.columns(), k_);
    for (const auto& [sequence, tokens] : sequences) {
      const std::vector<float> logits = mean_logits(input.logits, tokens);
      const std::size_t first = tokens.front();
      selector.select(logits, decision.expert_ids.row(first));
      softmax_of_chosen(logits, decision.expert_ids.row(first), decision.weights.row(first));
      for (const std::size_t token : tokens) {
        std::ranges::copy(decision.expert_ids.row(first), decision.expert_ids.row(token).begin());
        std::ranges::copy(decision.weights.row(first), decision.weights.row(token).begin());
      }
    }
    return decision;
  }

 private:
  /// Over the tokens whose logit for the expert is a finite number; NaN if there is none.
  static std::vector<float> mean_logits(MatrixView<const float> logits,
                                        const std::vector<std::size_t>& tokens) {
    std::vector<double> sums(logits.columns(), 0.0);
    std::vector<double> counts(logits.columns(), 0.0);
    for (const std::size_t token : tokens) {
      for (std::size_t expert = 0; expert < logits.columns(); ++expert) {
        if (std::isfinite(logits(token, expert))) {
          sums[expert] += double{logits(token, expert)};
          counts[expert] += 1;
        }
      }
    }
    std::vector<float> means(logits.columns(), std::numeric_limits<float>::quiet_NaN());
    for (std::size_t expert = 0; expert < means.size(); ++expert) {
      if (counts[expert] > 0) {
        means[expert] = static_cast<float>(sums[expert] / counts[expert]);
      }
    }
    return means;
  }

  std::size_t k_;
};

const Register<Router, MoR1ERouter> kMoR1E{
    "mor1e", "one decision for all tokens of a sequence (Intuition-MoR1E)"};

}  // namespace
}  // namespace switchyard
