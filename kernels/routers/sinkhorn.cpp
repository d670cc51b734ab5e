// Sinkhorn-balanced routing (S-BASE: Clark et al. 2022, arXiv 2202.01169, section 3.1, after BASE
// layers, arXiv 2103.16716): rows and columns of exp(logits) are scaled in turn until every expert
// has the same total and every token too; the k best of the balanced matrix are chosen, weighed by
// the ordinary softmax. Tokens without a valid logit stay out.
#include <cmath>
#include <limits>

#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

class SinkhornRouter final : public Router {
 public:
  explicit SinkhornRouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 1, {1, 1024}, "experts kept for each token"))),
        rounds_(parameters.get_integer("rounds", 100, {1, 100000}, "most scaling rounds")),
        tolerance_(parameters.get_number(
            "tolerance", 1e-4, {0.0, 1.0}, "mean relative change at which scaling stops")) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const std::size_t tokens = input.logits.rows();
    const std::size_t experts = input.logits.columns();
    Matrix<float> share(tokens, experts);
    for_each_token(
        tokens,
        [] { return 0; },
        [&](std::size_t token, int) { softmax_row(input.logits.row(token), share.row(token)); });
    const std::vector<double> scale = expert_scales(share);
    RoutingDecision decision = RoutingDecision::empty(tokens, k_);

    struct Scratch {
      RowSelector selector;
      std::vector<float> balanced;
    };

    for_each_token(
        tokens,
        [&] {
          return Scratch{RowSelector(experts, k_), std::vector<float>(experts)};
        },
        [&](std::size_t token, Scratch& scratch) {
          for (std::size_t expert = 0; expert < experts; ++expert) {
            // Where exp(logit) has vanished the logarithm still orders the experts.
            const float logit = input.logits(token, expert);
            scratch.balanced[expert] = logit + static_cast<float>(std::log(scale[expert]));
          }
          const auto ids = decision.expert_ids.row(token);
          scratch.selector.select(scratch.balanced, ids);
          take_chosen(share.row(token), ids, decision.weights.row(token));
        });
    return decision;
  }

 private:
  /// Factors of the columns; a token's own factor does not change its order of experts. Sums run in
  /// token order on one thread: the result must not depend on how many there are.
  [[nodiscard]] std::vector<double> expert_scales(const Matrix<float>& share) const {
    const std::size_t experts = share.columns();
    std::vector<double> scale(experts, 1.0);
    for (std::int64_t round = 0; round < rounds_; ++round) {
      std::vector<double> column(experts, 0.0);
      std::size_t counted = 0;
      for (std::size_t token = 0; token < share.rows(); ++token) {
        double row = 0;
        for (std::size_t expert = 0; expert < experts; ++expert) {
          row += double{share(token, expert)} * scale[expert];
        }
        if (row > 0) {
          ++counted;
          for (std::size_t expert = 0; expert < experts; ++expert) {
            column[expert] += double{share(token, expert)} / row;
          }
        }
      }
      double change = 0;
      const double fair = static_cast<double>(counted) / static_cast<double>(experts);
      for (std::size_t expert = 0; expert < experts; ++expert) {
        const double next = column[expert] > 0 ? fair / column[expert] : scale[expert];
        change += std::abs(next - scale[expert]) / scale[expert];
        scale[expert] = next;
      }
      if (change <= tolerance_ * static_cast<double>(experts)) {
        break;
      }
    }
    return scale;
  }

  std::size_t k_;
  std::int64_t rounds_;
  double tolerance_;
};

const Register<Router, SinkhornRouter> kSinkhorn{
    "sinkhorn", "top-k of the logits after balancing experts by Sinkhorn scaling (S-BASE)"};

}  // namespace
}  // namespace switchyard
