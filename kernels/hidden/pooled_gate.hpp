// The routers of grouped average pooling on a device: LocMoE in two launches, Expert-Token
// Resonance in two (tokens choose), five (experts choose) or seven (both choose).
#pragma once

#include <span>

#include "kernels/device/executor_choice.hpp"
#include "kernels/hidden/resonance_launch.hpp"
#include "kernels/router.hpp"

namespace switchyard {

inline constexpr KernelRoom kPooledRoom{.experts = 1024, .slots = 32};

/// A token's experts by block means, [tokens, 1], as the router `locmoe` on the CPU; within
/// kPooledRoom. `bias` [experts] is added to the means. Throws MissingCapability without a usable
/// GPU or for tables of more than 2^30 entries; so does the next.
RoutingDecision route_means_on_device(MatrixView<const float> hidden, std::span<const float> bias);

enum class ResonanceMode : std::uint8_t { Hybrid, Token, Expert };

struct ResonanceRequest {
  MatrixView<const float> hidden;  // [tokens, width]
  std::span<const float> bias;     // [experts]
  std::size_t slots = 1;
  ResonanceMode mode = ResonanceMode::Hybrid;
  CapacityRule rule;
};

/// The bits of the router `etr` on the CPU.
RoutingDecision route_resonance_on_device(const ResonanceRequest& request);

}  // namespace switchyard
