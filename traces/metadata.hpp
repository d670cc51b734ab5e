// What a trace knows about itself, and how much it knows: the fidelity level decides which metrics
// may be computed from it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace switchyard {

/// Of the native files, traces and counts alike.
inline constexpr int kTraceFormatVersion = 1;

/// How much of the routing a file holds. A metric that needs more refuses; it never guesses.
enum class Fidelity {
  Counts = 0,         // L0: selections per (step, layer, expert)
  CountsPerRank = 1,  // L1: the same per source rank: gives the exact traffic matrix
  Ids = 2,            // L2: expert ids per token: also de-duplication, capacity by order
  Weights = 3,        // L3: and gate weights or logits: capacity by weight, other routers
};

/// "L0".."L3"
std::string_view fidelity_name(Fidelity level);

/// Throws MissingCapability, saying what the file holds and how to get more, if `have` is less than
/// `need`. `what` is the metric or feature, as a noun phrase.
void require_fidelity(Fidelity have, Fidelity need, std::string_view what);

/// Dimensions of the traced model; 0 or empty = the file does not say.
struct ModelShape {
  std::int64_t hidden = 0;   // width of a token
  std::int64_t experts = 0;  // logical experts per layer
  std::int64_t top_k = 0;    // choices per token
  std::int64_t layers = 0;   // MoE layers
  std::string dtype;         // of activations: "bf16", "fp16", "fp32", "fp8"
  std::string name;          // of a model preset of these sizes, if the trace was made for one

  bool operator==(const ModelShape&) const = default;
};

struct TraceMetadata {
  ModelShape model;
  std::string router;             // name of the router that decided, if known
  std::string router_parameters;  // its parameters as JSON text; may be empty
  std::uint64_t seed = 0;         // of the workload and router, for synthetic traces
  std::string provenance;         // where the routing comes from, one sentence
  std::int64_t passes = 1;  // chunks of each (step, layer, source rank): the same tokens again
  bool merges_experts =
      false;                  // experts are merged by their weights and tokens stay where they are
  bool is_pre_gated = false;  // the choices of all layers are known before the first
  std::int64_t router_allreduce_bytes = 0;  // summed over all ranks to decide, per rank and layer
  std::int64_t router_allreduce_first_layer = 0;
  std::optional<double> gate_similarity;  // mean cosine between gate rows, over layers
  std::string rank_assignment;  // rule that gave tokens their source rank; empty = recorded

  bool operator==(const TraceMetadata&) const = default;
};

/// The `__metadata__` strings of a native file, among them its format and the program's version.
/// Empty and zero members are left out.
std::map<std::string, std::string> metadata_to_strings(const TraceMetadata& metadata);
/// The inverse; unknown keys are ignored. Throws InvalidInput for a missing or newer format
/// version and for a number that is none.
TraceMetadata metadata_from_strings(const std::map<std::string, std::string>& strings,
                                    const Location& where);

}  // namespace switchyard
