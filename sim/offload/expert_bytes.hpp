// Bytes of every expert of a model in each precision.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/components/parameters.hpp"
#include "sim/expert_size.hpp"
#include "sim/model.hpp"
#include "sim/offload/access_stream.hpp"
#include "sim/offload/bit_allocation.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {

/// The scenario's "precision".
struct PrecisionChoice {
  PrecisionRule rule;          // HOBBIT
  double low_bits = 4;         // of a weight in low precision
  double scale_bits = 0;       // more bits of each quantised weight, for scales
  double average_bits = 0;     // MC-MoE: mean bits of a weight; 0 = the model's dtype for all
  BitExponents exponents;      // MC-MoE
  std::vector<double> errors;  // MC-MoE: of an output at 1, 2, 3 bits, the same for all experts
  double low_share = 0.25;     // of the cache, for experts in low precision
  BytesPerSecond expand_rate;  // of full-precision weights made from quantised; 0 = free
};

/// Reads and checks it.
PrecisionChoice read_precision(Parameters& parameters);

/// [layers * experts]
struct ExpertBytes {
  std::vector<std::int64_t> high;
  std::vector<std::int64_t> low;
  std::vector<std::int64_t> bits;  // MC-MoE: of each expert; empty = all the same
};

/// An expert's private bytes times bits / bits of the dtype. With average_bits each layer's widths
/// are allocated by MC-MoE's programme from the trace's frequencies and mean gate weights.
ExpertBytes expert_bytes(const PrecisionChoice& choice,
                         const ModelCost& model,
                         const RoutingTrace& trace,
                         const AccessStream& stream,
                         const Location& where);

/// The largest of `bytes`; 0 if there are none.
std::int64_t largest(const std::vector<std::int64_t>& bytes);

}  // namespace switchyard
