// Picks the same instantiation as the CUDA launcher and runs it on fibers.
#include "tests/emulation/routers/emulated_top_k.hpp"

#include <fmt/core.h>

// The vocabulary must come before device code.
// clang-format off
#include "tests/emulation/simt/cuda_vocabulary.hpp"
#include "kernels/routers/top_k.cuh"

// clang-format on

namespace switchyard {
namespace {

using TopKKernel = void (*)(const TopKArguments&, std::int32_t);

TopKKernel find_kernel(LogitType type, const TopKPlan& plan) {
#define SWITCHYARD_CASE(tag, Logit, experts, slots)                                                \
  if (type == kLogitTypeOf<Logit> && plan.expert_tier == (experts) && plan.slot_tier == (slots)) { \
    return &top_k_of_block<Logit, experts, slots>;                                                 \
  }
  SWITCHYARD_TOP_K_KERNELS(SWITCHYARD_CASE)
#undef SWITCHYARD_CASE
  throw SimtError(fmt::format("no kernel for tier {}, {}", plan.expert_tier, plan.slot_tier));
}

}  // namespace

TopKResult emulated_top_k(const TopKCase& test,
                          const LogitBuffer& logits,
                          const EmulatedTopKOptions& options) {
  const TopKPlan plan = plan_top_k(test.shape, options.multiprocessors);
  const auto count =
      static_cast<std::size_t>(test.shape.tokens) * static_cast<std::size_t>(test.shape.slots);
  TopKResult result{.expert_ids = std::vector<std::int32_t>(count, -7),
                    .gate_weights = std::vector<float>(count, -7.0F)};
  if (plan.blocks == 0) {
    return result;
  }
  const TopKArguments arguments{.logits = logits.address(),
                                .expert_ids = result.expert_ids.data(),
                                .gate_weights = result.gate_weights.data(),
                                .tokens = test.shape.tokens,
                                .experts = test.shape.experts,
                                .slots = test.shape.slots,
                                .tokens_per_warp = plan.tokens_per_warp,
                                .scale = test.scale,
                                .has_vector_rows = has_vector_rows(logits.address(), test.shape),
                                .is_renormalised = test.is_renormalised};
  const TopKKernel kernel = find_kernel(test.shape.logit_type, plan);
  simt_launch({.grid = {static_cast<unsigned>(plan.blocks)},
               .block = {kTopKWarps * kWarpLanes},
               .schedule_seed = options.schedule_seed},
              [&] { kernel(arguments, static_cast<std::int32_t>(blockIdx.x)); });
  return result;
}

}  // namespace switchyard
