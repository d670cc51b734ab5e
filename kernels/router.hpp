// A router turns one chunk of tokens into expert choices. Semantics shared by every router and
// every executor (CPU, CUDA, emulator): same logits, same bits; ties go to the lower expert index;
// -0 equals +0; NaN sorts last; a token with fewer than k valid experts gets kNoExpert, weight 0.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/components/registry.hpp"
#include "core/matrix.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {

/// Choices of a chunk of tokens.
struct RoutingDecision {
  Matrix<std::int32_t> expert_ids;  // [tokens, k], best first; kNoExpert = none
  Matrix<float> weights;            // [tokens, k]; 0 where there is no expert
  /// [tokens]; 0 = the token skips this layer. A router fills it always or never.
  std::vector<std::uint8_t> alive = {};
  /// The same tokens' choices in a second pass through the model, [tokens, at most k]; empty unless
  /// has_second_pass().
  Matrix<std::int32_t> second_ids = {};
  Matrix<float> second_weights = {};
  /// Numbers the router hands to itself at the next layer, [tokens, any]; empty for most.
  Matrix<float> carried = {};

  /// No choices yet: every place empty.
  static RoutingDecision empty(std::size_t tokens, std::size_t top_k);

  bool operator==(const RoutingDecision&) const = default;
};

/// What becomes of a token's experts.
enum class ExpertUse : std::uint8_t {
  Dispatched,  // the token is sent to each of them
  Merged,      // their parameters are merged by the weights, and no token moves
};

/// What a router sums over all ranks before it can decide, by an allreduce in each layer.
struct RouterCollective {
  std::int64_t bytes = 0;        // per rank and layer; 0 = nothing
  std::int64_t first_layer = 0;  // from this MoE layer on
};

/// What a router may look at: the tokens of one (step, layer, source rank), or of all source ranks
/// in their order if routes_all_ranks_together().
struct RouterInput {
  MatrixView<const float> logits = {};  // [tokens, experts]; empty if the router makes its own
  MatrixView<const float> hidden = {};  // [tokens, hidden]; empty unless needs_hidden()
  MatrixView<const float> gate = {};  // [experts, hidden] gate weights; empty unless needs_hidden()
  const RoutingDecision* previous_layer = nullptr;  // same tokens, one MoE layer earlier
  std::span<const std::uint8_t> modality = {};      // [tokens] or empty
  std::span<const std::int64_t> token_ids = {};     // [tokens] or empty
  std::span<const std::int64_t> sequence_ids = {};  // [tokens] or empty
  std::int64_t step = 0;
  std::int64_t layer = 0;  // counted from 0
  std::int64_t source_rank = 0;
  std::uint64_t seed = 0;  // for routers that draw random numbers
};

/// | hook                        | when                 | default                               |
/// |-----------------------------|----------------------|---------------------------------------|
/// | top_k()                     | before anything else | -                                     |
/// | needs_hidden()              | before the input     | false                                 |
/// | check_shape()               | once per model       | experts >= k                          |
/// | needs_logits()              | before the input     | unless needs_hidden()                 |
/// | routes_all_ranks_together() | before the input     | false                                 |
/// | has_second_pass()           | for the trace        | false                                 |
/// | expert_use(), collective()  | for the trace        | dispatched, nothing                   |
/// | decides_before_first_layer()| for the trace        | false                                 |
/// | own_logits()                | for the trace        | none: the gate projection's           |
/// | route()                     | per chunk            | -; must be safe to call from several  |
/// |                             |                      | threads                               |
class Router {
 public:
  Router() = default;
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;
  Router(Router&&) = delete;
  Router& operator=(Router&&) = delete;
  virtual ~Router() = default;

  /// Choices per token, the width of the decision.
  [[nodiscard]] virtual std::size_t top_k() const = 0;

  /// True if route() reads `hidden` and `gate`.
  [[nodiscard]] virtual bool needs_hidden() const { return false; }

  /// True if route() reads `logits`, the gate projection of `hidden`.
  [[nodiscard]] virtual bool needs_logits() const { return !needs_hidden(); }

  /// True if route() wants the tokens of all source ranks of a layer at once.
  [[nodiscard]] virtual bool routes_all_ranks_together() const { return false; }

  /// True if decisions hold a second selection.
  [[nodiscard]] virtual bool has_second_pass() const { return false; }

  [[nodiscard]] virtual ExpertUse expert_use() const { return ExpertUse::Dispatched; }

  /// True if the choices of all layers are known before the first.
  [[nodiscard]] virtual bool decides_before_first_layer() const { return false; }

  [[nodiscard]] virtual RouterCollective collective(std::size_t /*experts*/,
                                                    std::size_t /*hidden*/) const {
    return {};
  }

  /// The scores [tokens, experts] that a router without needs_logits() makes of hidden states for
  /// itself, for a trace that records logits; empty if they are the gate projection.
  [[nodiscard]] virtual Matrix<float> own_logits(MatrixView<const float> /*hidden*/,
                                                 std::size_t /*experts*/) const {
    return {};
  }

  /// Throws InvalidInput if the router cannot serve a model of this shape.
  virtual void check_shape(std::size_t experts, std::size_t hidden) const;

  [[nodiscard]] virtual RoutingDecision route(const RouterInput& input) const = 0;
};

extern template class Registry<Router>;

}  // namespace switchyard
