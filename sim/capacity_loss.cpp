#include "sim/capacity_loss.hpp"

#include "traces/routing_trace.hpp"

namespace switchyard {

CapacityLoss capacity_loss(const Matrix<std::int32_t>& wishes, const LayerTokens& left) {
  CapacityLoss loss;
  double whole = 0;
  double dropped = 0;
  const bool has_weights = !left.gate_weights.empty();
  for (std::size_t row = 0; row < wishes.rows(); ++row) {
    bool had_any = false;
    bool has_any = false;
    for (std::size_t choice = 0; choice < wishes.columns(); ++choice) {
      if (wishes(row, choice) == kNoExpert) {
        continue;
      }
      const bool is_kept = left.expert_ids(row, choice) != kNoExpert;
      had_any = true;
      has_any = has_any || is_kept;
      if (has_weights) {
        const auto weight = static_cast<double>(left.gate_weights(row, choice));
        whole += weight;
        dropped += is_kept ? 0 : weight;
      }
    }
    loss.tokens += had_any ? 1 : 0;
    loss.lost_tokens += had_any && !has_any ? 1 : 0;
  }
  if (has_weights && whole > 0) {
    loss.dropped_gate_mass = dropped / whole;
  }
  return loss;
}

}  // namespace switchyard
