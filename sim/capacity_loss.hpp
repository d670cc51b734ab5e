// What a capacity policy took from the tokens, whatever the policy.
#pragma once

#include <cstdint>
#include <optional>

#include "sim/capacity.hpp"

namespace switchyard {

struct CapacityLoss {
  std::int64_t tokens = 0;       // that had at least one choice
  std::int64_t lost_tokens = 0;  // of them, left without any
  /// Sum of the gate weights of dropped choices over all; empty without weights. A re-routed choice
  /// keeps its weight.
  std::optional<double> dropped_gate_mass;
};

/// Compares the choices before the policy, [rows, k], with those it left.
CapacityLoss capacity_loss(const Matrix<std::int32_t>& wishes, const LayerTokens& left);

}  // namespace switchyard
