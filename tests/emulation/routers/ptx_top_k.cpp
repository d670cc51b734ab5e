#include "tests/emulation/routers/ptx_top_k.hpp"

#include <fmt/core.h>

#include "tests/emulation/ptx/device_image.hpp"

namespace switchyard {

std::string top_k_kernel_name(const TopKShape& shape) {
  const TopKPlan plan = plan_top_k(shape, 1);
  const char* const tag = shape.logit_type == LogitType::Float32    ? "f32"
                          : shape.logit_type == LogitType::Bfloat16 ? "bf16"
                                                                    : "f16";
  return fmt::format("switchyard_top_k_{}_e{}_k{}", tag, plan.expert_tier, plan.slot_tier);
}

PtxTopKRun ptx_top_k(const PtxModule& module,
                     const TopKCase& test,
                     const LogitBuffer& logits,
                     std::int32_t multiprocessors) {
  const TopKPlan plan = plan_top_k(test.shape, multiprocessors);
  PtxTopKRun run;
  if (plan.blocks == 0) {
    return run;
  }
  const auto tokens = static_cast<std::size_t>(test.shape.tokens);
  const auto slots = static_cast<std::size_t>(test.shape.slots);
  const std::size_t logit_bytes = test.shape.logit_type == LogitType::Float32 ? 4 : 2;
  const DeviceImage row_image(logits.address(),
                              tokens * static_cast<std::size_t>(test.shape.experts) * logit_bytes);
  DeviceImage id_image(nullptr, tokens * slots * sizeof(std::int32_t));
  DeviceImage weight_image(nullptr, tokens * slots * sizeof(float));
  const TopKArguments arguments{.logits = row_image.address(),
                                .expert_ids = static_cast<std::int32_t*>(id_image.address()),
                                .gate_weights = static_cast<float*>(weight_image.address()),
                                .tokens = test.shape.tokens,
                                .experts = test.shape.experts,
                                .slots = test.shape.slots,
                                .tokens_per_warp = plan.tokens_per_warp,
                                .scale = test.scale,
                                .has_vector_rows = has_vector_rows(row_image.address(), test.shape),
                                .is_renormalised = test.is_renormalised};
  run.counters =
      run_ptx(module.kernel(top_k_kernel_name(test.shape)),
              {.shape = {.grid = {static_cast<unsigned>(plan.blocks)},
                         .block = {static_cast<unsigned>(kTopKWarps) * 32U}},
               .arguments = std::as_bytes(std::span(&arguments, 1)),
               .buffers = {row_image.buffer(), id_image.buffer(), weight_image.buffer()}});
  run.result = {.expert_ids = id_image.values<std::int32_t>(),
                .gate_weights = weight_image.values<float>()};
  return run;
}

}  // namespace switchyard
