// Self-contrast of unchosen experts (SCMoE, arXiv 2405.14507, section 3): every token passes the
// model twice, with its best experts (strong) and with the one of a given rank alone (weak), and
// the difference of the two outputs sharpens the next token. One trace holds both: the weak pass is
// the decision's second selection, so that a schedule may dispatch both or only their union.
#include <algorithm>

#include "kernels/device/executor_choice.hpp"
#include "kernels/device/top_k_on_device.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

class SelfContrastRouter final : public Router {
 public:
  explicit SelfContrastRouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 2, {1, 1024}, "experts of the strong pass"))),
        rank_(static_cast<std::size_t>(parameters.get_integer(
            "weak_rank",
            2,
            {1, 1024},
            "the weak pass takes the expert of this rank alone, with weight 1; the paper's best "
            "is 2"))),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] bool has_second_pass() const override { return true; }

  void check_shape(std::size_t experts, std::size_t hidden) const override {
    Router::check_shape(experts, hidden);
    if (experts < rank_) {
      throw InvalidInput("there is no expert of rank " + std::to_string(rank_) + " among " +
                             std::to_string(experts),
                         {},
                         "lower weak_rank");
    }
  }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const std::size_t experts = input.logits.columns();
    const bool is_on_device = takes_gpu(executor_, experts, std::max(k_, rank_), kTopKRoom);
    RoutingDecision decision = choose(input.logits, k_, is_on_device);
    const RoutingDecision ranked =
        rank_ <= k_ ? RoutingDecision() : choose(input.logits, rank_, is_on_device);
    const Matrix<std::int32_t>& ids = rank_ <= k_ ? decision.expert_ids : ranked.expert_ids;
    decision.second_ids = Matrix<std::int32_t>(input.logits.rows(), 1, kNoExpert);
    decision.second_weights = Matrix<float>(input.logits.rows(), 1);
    for (std::size_t token = 0; token < ids.rows(); ++token) {
      const std::int32_t weak = ids(token, rank_ - 1);
      decision.second_ids(token, 0) = weak;
      decision.second_weights(token, 0) = weak == kNoExpert ? 0.0F : 1.0F;
    }
    return decision;
  }

 private:
  static RoutingDecision choose(MatrixView<const float> logits,
                                std::size_t slots,
                                bool is_on_device) {
    if (is_on_device) {
      return top_k_on_device(logits, {.slots = slots});
    }
    RoutingDecision decision = RoutingDecision::empty(logits.rows(), slots);
    for_each_token(
        logits.rows(),
        [&] { return RowSelector(logits.columns(), slots); },
        [&](std::size_t token, RowSelector& selector) {
          const auto ids = decision.expert_ids.row(token);
          selector.select(logits.row(token), ids);
          softmax_of_chosen(logits.row(token), ids, decision.weights.row(token));
        });
    return decision;
  }

  std::size_t k_;
  std::size_t rank_;
  Executor executor_;
};

const Register<Router, SelfContrastRouter> kSelfContrast{
    "scmoe", "a strong and a weak selection for each token, in two passes (SCMoE)"};

}  // namespace
}  // namespace switchyard
