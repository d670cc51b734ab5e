// MoE++ on a device: one launch, four with a capacity.
#pragma once

#include "kernels/device/executor_choice.hpp"
#include "kernels/router.hpp"

namespace switchyard {

inline constexpr KernelRoom kPlusPlusRoom{.experts = 1024, .slots = 32};

struct PlusPlusRequest {
  MatrixView<const float> logits;         // [tokens, experts]
  const Matrix<float>* before = nullptr;  // [tokens, experts] carried over, or none
  std::size_t slots = 1;
  std::size_t zero_experts = 0;  // the last ones
  std::size_t free_experts = 0;  // those included
  float residual = 0.0F;
  bool has_room = false;           // whether experts have a capacity
  std::int32_t ordinary_room = 0;  // slots of an expert that computes
  std::int32_t free_room = 0;      // and of one that does not
};

/// The bits of the router `moe_plus_plus` on the CPU, from the current device; within
/// kPlusPlusRoom. Throws MissingCapability without a usable GPU or for tables of more than 2^30
/// entries.
RoutingDecision route_plus_plus_on_device(const PlusPlusRequest& request);

}  // namespace switchyard
