// Capacity policies: which (token, choice) pairs survive when an expert takes only so many tokens.
#pragma once

#include <cstdint>
#include <vector>

#include "core/components/registry.hpp"
#include "core/matrix.hpp"
#include "traces/metadata.hpp"

namespace switchyard {

/// Tokens of one (step, layer), all source ranks together, in order of rank, then token.
struct LayerTokens {
  std::size_t experts = 0;
  std::size_t ranks = 0;
  Matrix<std::int32_t> expert_ids;        // [rows, k]; kNoExpert = none
  Matrix<float> gate_weights;             // [rows, k] or empty
  Matrix<float> logits;                   // [rows, experts] or empty
  std::vector<std::int32_t> source_rank;  // [rows], ascending
  std::int64_t layer = 0;                 // the model's number
  std::size_t hidden = 0;                 // width of a token; 0 = unknown
  std::size_t zero_cost_experts = 0;      // the last of the experts, without weights
  std::uint64_t seed = 0;                 // for random orders
};

/// What a policy did; pairs() == kept + dropped always.
struct CapacityOutcome {
  std::int64_t pairs = 0;     // (token, choice) pairs routed
  std::int64_t kept = 0;      // of them, computed by some expert
  std::int64_t dropped = 0;   // of them, computed by none
  std::int64_t rerouted = 0;  // of the kept, by another expert than chosen
  std::int64_t padded = 0;    // empty slots sent and computed all the same
  /// Slots each (source rank, expert) sends, filled or not, [ranks]; empty when nothing is padded.
  std::vector<std::int64_t> padded_slots;
};

class CapacityPolicy {
 public:
  CapacityPolicy() = default;
  CapacityPolicy(const CapacityPolicy&) = delete;
  CapacityPolicy& operator=(const CapacityPolicy&) = delete;
  CapacityPolicy(CapacityPolicy&&) = delete;
  CapacityPolicy& operator=(CapacityPolicy&&) = delete;
  virtual ~CapacityPolicy() = default;

  /// True if apply() would change nothing: the replay then skips it.
  [[nodiscard]] virtual bool keeps_everything() const { return false; }

  /// What apply() reads beyond expert ids.
  [[nodiscard]] virtual bool needs_weights() const { return false; }

  [[nodiscard]] virtual bool needs_logits() const { return false; }

  /// Replaces dropped choices by kNoExpert and re-routed ones by their new expert, in place.
  [[nodiscard]] virtual CapacityOutcome apply(LayerTokens& tokens) const = 0;
};

extern template class Registry<CapacityPolicy>;

}  // namespace switchyard
