// MoE++ (ICLR 2025, arXiv 2410.07348): the last experts cost nothing - zero (output 0), copy and
// constant experts - and logits carry over from layer to layer (gating residuals, equation 6).
// Softmax over all, the k best; a chosen zero expert weighs 0 and the rest is renormalised, as in
// the authors' code. Free experts hold more tokens than the others (equation 8).
//
// The paper learns the matrix that carries logits over; here it is a number times the identity. Its
// T is read as token slots, k per token: with tokens, half of all slots would be dropped.
#include <algorithm>
#include <cmath>

#include "kernels/device/executor_choice.hpp"
#include "kernels/device/moe_plus_plus_on_device.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

class MoEPlusPlusRouter final : public Router {
 public:
  explicit MoEPlusPlusRouter(Parameters& parameters)
      : k_(number(parameters, "k", 2, 1, "experts kept for each token")),
        zero_(number(parameters, "zero", 1, 0, "zero experts, the very last ones")),
        others_(number(parameters, "copy", 1, 0, "copy experts, before the zero experts") +
                number(parameters, "constant", 2, 0, "constant experts, before the copy experts")),
        residual_(static_cast<float>(parameters.get_number(
            "residual", 0.5, {0.0, 1.0}, "share of the last layer's logits that is added"))),
        tau_(parameters.get_number(
            "tau", 0.75, {1e-6, 1.0}, "capacity of an ordinary expert over a free one's")),
        capacity_factor_(parameters.get_number("capacity_factor",
                                               0.0,
                                               {0.0, 1e6},
                                               "slots over the mean that experts may fill before "
                                               "tokens are dropped, in token order; 0 = no limit")),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  void check_shape(std::size_t experts, std::size_t hidden) const override {
    Router::check_shape(experts, hidden);
    if (experts <= zero_ + others_) {
      throw InvalidInput(std::to_string(zero_ + others_) + " of " + std::to_string(experts) +
                             " experts are free ones: none is left that computes",
                         {},
                         "lower zero, copy or constant");
    }
  }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const std::size_t tokens = input.logits.rows();
    const std::size_t experts = input.logits.columns();
    const Matrix<float>* before =
        input.previous_layer == nullptr ? nullptr : &input.previous_layer->carried;
    const PlusPlusRequest request = request_for(input.logits, before);
    if (takes_gpu(executor_, experts, k_, kPlusPlusRoom)) {
      return route_plus_plus_on_device(request);
    }
    RoutingDecision decision = RoutingDecision::empty(tokens, k_);
    decision.carried = Matrix<float>(tokens, experts);

    struct Scratch {
      RowSelector selector;
      std::vector<float> logits;
    };

    for_each_token(
        tokens,
        [&] {
          return Scratch{RowSelector(experts, k_), std::vector<float>(experts)};
        },
        [&](std::size_t token, Scratch& scratch) {
          for (std::size_t expert = 0; expert < experts; ++expert) {
            const float carried = before == nullptr ? 0.0F : (*before)(token, expert) * residual_;
            const float logit = input.logits(token, expert) + carried;
            scratch.logits[expert] = logit;
            decision.carried(token, expert) = std::isfinite(logit) ? logit : 0.0F;
          }
          const auto ids = decision.expert_ids.row(token);
          const auto weights = decision.weights.row(token);
          scratch.selector.select(scratch.logits, ids);
          softmax_of_all(scratch.logits, ids, weights);
          for (std::size_t slot = 0; slot < k_; ++slot) {
            const bool is_zero = ids[slot] >= static_cast<std::int32_t>(experts - zero_);
            weights[slot] = is_zero ? 0.0F : weights[slot];
          }
          normalise_row(weights);
        });
    if (request.has_room) {
      drop_beyond_capacity(decision, request);
    }
    return decision;
  }

 private:
  static std::size_t number(Parameters& parameters,
                            const std::string& name,
                            std::int64_t default_value,
                            std::int64_t least,
                            const std::string& sentence) {
    return static_cast<std::size_t>(
        parameters.get_integer(name, default_value, {least, 1024}, sentence));
  }

  [[nodiscard]] PlusPlusRequest request_for(MatrixView<const float> logits,
                                            const Matrix<float>* before) const {
    PlusPlusRequest request{.logits = logits,
                            .before = before,
                            .slots = k_,
                            .zero_experts = zero_,
                            .free_experts = zero_ + others_,
                            .residual = residual_,
                            .has_room = capacity_factor_ > 0};
    const double slots = static_cast<double>(logits.rows() * k_);
    const std::size_t ordinary = logits.columns() - request.free_experts;
    const double share =
        capacity_factor_ * slots /
        (tau_ * static_cast<double>(ordinary) + static_cast<double>(request.free_experts));
    const auto whole = [slots](double room) {
      return static_cast<std::int32_t>(std::ceil(std::min(room, slots)));
    };
    request.ordinary_room = whole(tau_ * share);
    request.free_room = whole(share);
    return request;
  }

  void drop_beyond_capacity(RoutingDecision& decision, const PlusPlusRequest& request) const {
    const std::size_t experts = request.logits.columns();
    std::vector<std::int32_t> room(experts, request.free_room);
    std::fill_n(room.begin(), experts - request.free_experts, request.ordinary_room);
    for (std::size_t token = 0; token < decision.expert_ids.rows(); ++token) {
      for (std::size_t slot = 0; slot < k_; ++slot) {
        std::int32_t& id = decision.expert_ids(token, slot);
        if (id == kNoExpert) {
          continue;
        }
        std::int32_t& left = room[static_cast<std::size_t>(id)];
        if (left == 0) {
          id = kNoExpert;
          decision.weights(token, slot) = 0.0F;
        } else {
          --left;
        }
      }
    }
  }

  std::size_t k_;
  std::size_t zero_;
  std::size_t others_;
  float residual_;
  double tau_;
  double capacity_factor_;
  Executor executor_;
};

const Register<Router, MoEPlusPlusRouter> kMoEPlusPlus{
    "moe_plus_plus", "free experts (zero, copy, constant) and gating residuals (MoE++)"};

}  // namespace
}  // namespace switchyard
