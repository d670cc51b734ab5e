// Softmax top-k of a table of logits on the GPU: copies in, one launch, copies out.
#pragma once

#include <cstdint>

#include "core/matrix.hpp"
#include "kernels/router.hpp"

namespace switchyard {

struct TopKRequest {
  std::int32_t slots = 0;       ///< the k of top-k
  bool is_renormalised = true;  ///< softmax over the chosen experts, else over all
  float scale = 1.0F;
};

/// Whether the compiled kernels have room for this many experts and slots.
bool has_top_k_kernel(std::size_t experts, std::int32_t slots);

/// The bits of the CPU router, from the GPU. `logits` is [tokens, experts]. Throws
/// MissingCapability without a usable GPU, without enough GPU memory, or if has_top_k_kernel() is
/// false.
RoutingDecision top_k_on_device(MatrixView<const float> logits, const TopKRequest& request);

}  // namespace switchyard
