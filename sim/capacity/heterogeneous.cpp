// MoE++ (arXiv 2410.07348, equation 8): experts with weights and zero-cost experts have different
// capacities, in the ratio tau: of S = k * tokens slots, factor * tau * S / (tau * N + Z) for each
// of the N experts with weights and factor * S / (tau * N + Z) for each of the Z without.
#include <fmt/format.h>

#include "sim/capacity.hpp"
#include "sim/capacity_slots.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

class Heterogeneous final : public CapacityPolicy {
 public:
  explicit Heterogeneous(Parameters& parameters)
      : factor_(parameters.get_number(
            "factor", 1.1, {1e-6, 1e6}, "gamma: slots of all experts together over k * tokens")),
        tau_(parameters.get_number(
            "tau", 0.75, {1e-6, 1e6}, "capacity of an expert with weights over one without")),
        zero_cost_(parameters.get_integer(
            "zero_cost",
            -1,
            {-1, kMostExperts},
            "how many of the last experts are without weights; -1 = model.zero_cost_experts")),
        minimum_(parameters.get_integer(
            "minimum",
            0,
            {0, 1 << 30},
            "fewest slots per expert; 0 = none, and less than one slot is refused")),
        queue_(parameters, "choice", /*may_share=*/true),
        where_(parameters.where()) {}

  [[nodiscard]] bool needs_weights() const override {
    return queue_.order() == SlotQueue::Order::Weight;
  }

  [[nodiscard]] CapacityOutcome apply(LayerTokens& tokens) const override {
    const std::size_t cheap =
        zero_cost_ < 0 ? tokens.zero_cost_experts : static_cast<std::size_t>(zero_cost_);
    if (cheap > tokens.experts) {
      throw InvalidInput(
          fmt::format("{} experts cannot be without weights: there are {}", cheap, tokens.experts),
          where_.child("zero_cost"));
    }
    const double shares =
        tau_ * static_cast<double>(tokens.experts - cheap) + static_cast<double>(cheap);
    CapacityOutcome outcome;
    queue_.for_each_group(tokens, [&](const TokenGroup& group) {
      const double of_cheap = factor_ * static_cast<double>(tokens.expert_ids.columns()) *
                              static_cast<double>(group.tokens) / shares;
      std::vector<std::int64_t> slots(tokens.experts, checked(tau_ * of_cheap, shares, group));
      std::fill(slots.end() - static_cast<std::ptrdiff_t>(cheap),
                slots.end(),
                cheap > 0 ? checked(of_cheap, shares, group) : 0);
      keep_while_room(group, std::move(slots), tokens, outcome);
    });
    return outcome;
  }

 private:
  [[nodiscard]] std::int64_t checked(double slots, double shares, const TokenGroup& group) const {
    if (minimum_ == 0) {
      refuse_less_than_one(
          slots,
          fmt::format(
              "{} x the choices of {} tokens over {} shares", factor_, group.tokens, shares),
          where_.child("factor"));
    }
    return std::max(minimum_, whole_slots(slots));
  }

  double factor_;
  double tau_;
  std::int64_t zero_cost_;
  std::int64_t minimum_;
  SlotQueue queue_;
  Location where_;
};

const Register<CapacityPolicy, Heterogeneous> kHeterogeneous{
    "heterogeneous", "other capacities for experts with and without weights (MoE++)"};

}  // namespace
}  // namespace switchyard
