// What an expert cache sees of a routing trace: pass by pass and layer by layer, the experts that
// the tokens computed together need.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {

/// In what precision an expert is wanted where it has to be loaded. Ordered by what it costs.
enum class Need : std::uint8_t {
  Skip,  // not worth a copy: computed only if it is there
  Low,
  High,
};

/// One expert that a pass computes in one layer.
struct ExpertDemand {
  std::uint32_t expert = 0;
  std::uint32_t tokens = 0;  // of the pass that chose it
  Need need = Need::High;    // the most that one of them asks for

  bool operator==(const ExpertDemand&) const = default;
};

/// Tokens that go through all layers together. Uses of layer l of pass p are
/// uses[visit_starts[p * layers + l]] up to the next start.
struct AccessStream {
  std::size_t layers = 0;
  std::size_t experts = 0;                    // per layer
  std::size_t top_k = 0;                      // most experts of a token
  std::vector<std::int64_t> layer_numbers;    // [layers] the model's own
  std::vector<ExpertDemand> uses;             // of a visit: most wanted first
  std::vector<std::size_t> visit_starts{0};   // [passes * layers + 1]
  std::vector<std::uint32_t> pass_tokens;     // [passes]
  std::vector<std::uint8_t> starts_sequence;  // [passes] 1 = another text begins

  [[nodiscard]] std::size_t passes() const { return pass_tokens.size(); }

  [[nodiscard]] std::size_t visits() const { return visit_starts.size() - 1; }

  [[nodiscard]] std::span<const ExpertDemand> visit(std::size_t pass, std::size_t layer) const {
    const std::size_t index = pass * layers + layer;
    return {uses.data() + visit_starts[index], uses.data() + visit_starts[index + 1]};
  }

  [[nodiscard]] std::int64_t tokens() const;
};

/// HOBBIT's rule (arXiv 2411.01433): of a token's experts by falling gate weight g,
/// normalised, the i-th has score s_i = g_0 + ... + g_(i-1); s <= t1 needs high precision,
/// s <= t2 low, beyond that the expert is skipped unless it is cached. 1 and 1 switch it off.
struct PrecisionRule {
  double t1 = 1;
  double t2 = 1;

  [[nodiscard]] bool is_on() const { return t1 < 1; }

  [[nodiscard]] Need need(double score) const {
    return score <= t1 || !is_on() ? Need::High : score <= t2 ? Need::Low : Need::Skip;
  }
};

/// Which tokens go together.
struct BatchRule {
  std::size_t tokens = 1;        // of a pass; 0 = all of a step
  bool is_expert_aware = false;  // by their experts (Read-ME), else in order
  std::size_t waiting = 256;     // tokens that an expert-aware batch is chosen from
  std::size_t free_experts = 0;  // the last of a layer, without weights (MoE++): never cached
};

/// Follows the tokens of each step through its layers: every layer of a step must have the same
/// number of rows, or InvalidInput is thrown. Rows that are not alive use no expert in that layer.
/// A router that merges experts or routes twice is refused.
/// `precision` needs gate weights (MissingCapability).
AccessStream read_accesses(const RoutingTrace& trace,
                           const BatchRule& batch,
                           const PrecisionRule& precision,
                           const Progress& progress = {});

/// The next use of each use's expert in the same layer, [uses]: positions in
/// `stream.uses`, kNeverUsed for the last.
std::vector<std::int64_t> next_uses(const AccessStream& stream);

}  // namespace switchyard
