// What an expert weighs: bytes that a replica, a migration or a load from the host moves, and the
// arithmetic of one row.
#pragma once

#include <cstdint>

#include "core/components/parameters.hpp"
#include "sim/model.hpp"

namespace switchyard {

struct ExpertSize {
  std::int64_t private_bytes = 0;  // of one expert alone
  std::int64_t shared_bytes = 0;   // once per layer, whatever the number of experts
  double flops_per_row = 0;
  double rebuild_flops = 0;  // to turn stored weights into matrices, once per layer and expert
};

/// Full matrices: matrices x hidden x expert_hidden elements, 2 flops each and row.
/// Matrix product operators (MPOE, arXiv 2203.01104): tensor k of n is [d_k-1, i_k, j_k, d_k] with
/// full bonds d_k = min(product of i j up to k, product after k); the central one is shared.
/// Rank-one adapters (MoR1E, arXiv 2404.08985): hidden + expert_hidden elements a matrix.
ExpertSize expert_size(const ModelCost& model);

/// Reads `weights`, `mpo_input` and `mpo_output`.
WeightForm read_weight_form(Parameters& parameters);
/// Throws InvalidInput if the factors of an MPO do not multiply to the model's widths.
void check_weight_form(const ModelCost& model, const Location& where);

}  // namespace switchyard
