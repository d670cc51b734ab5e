#include "kernels/device/top_k_on_device.hpp"

#include <limits>

#include <fmt/core.h>

#include "kernels/device/cuda_device.hpp"
#include "kernels/routers/top_k_launch.hpp"
#if defined(SWITCHYARD_HAS_CUDA)
#include "kernels/device/device_memory.hpp"
#endif

namespace switchyard {
namespace {

void check_request(MatrixView<const float> logits, const TopKRequest& request) {
  require_cuda_device();
  if (!has_top_k_kernel(logits.columns(), request.slots)) {
    throw MissingCapability(
        fmt::format("the CUDA top-k serves up to {} experts and {} slots, not {} and {}",
                    kTopKMaxExperts,
                    kTopKMaxSlots,
                    logits.columns(),
                    request.slots),
        {},
        "choose the CPU executor");
  }
  const auto most_rows =
      static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max() - kTopKMaxExperts);
  if (logits.rows() > most_rows) {
    throw MissingCapability("more than 2^31 tokens at once", {}, "route in smaller chunks");
  }
}

}  // namespace

bool has_top_k_kernel(std::size_t experts, std::int32_t slots) {
  return experts >= 1 && experts <= static_cast<std::size_t>(kTopKMaxExperts) && slots >= 1 &&
         slots <= kTopKMaxSlots;
}

RoutingDecision top_k_on_device(MatrixView<const float> logits, const TopKRequest& request) {
  check_request(logits, request);
  const auto slots = static_cast<std::size_t>(request.slots);
  RoutingDecision decision{.expert_ids = Matrix<std::int32_t>(logits.rows(), slots),
                           .weights = Matrix<float>(logits.rows(), slots),
                           .alive = {}};
#if defined(SWITCHYARD_HAS_CUDA)
  DeviceMemory rows(logits.values().size_bytes());
  const DeviceMemory ids(decision.expert_ids.values().size_bytes());
  const DeviceMemory weights(decision.weights.values().size_bytes());
  rows.upload(logits.values().data());
  const TopKShape shape{.logit_type = LogitType::Float32,
                        .tokens = static_cast<std::int32_t>(logits.rows()),
                        .experts = static_cast<std::int32_t>(logits.columns()),
                        .slots = request.slots};
  const TopKPlan plan = plan_top_k(shape, cuda_device().multiprocessors);
  launch_top_k(shape,
               plan,
               {.logits = rows.address(),
                .expert_ids = static_cast<std::int32_t*>(ids.address()),
                .gate_weights = static_cast<float*>(weights.address()),
                .tokens = shape.tokens,
                .experts = shape.experts,
                .slots = shape.slots,
                .tokens_per_warp = plan.tokens_per_warp,
                .scale = request.scale,
                .has_vector_rows = has_vector_rows(rows.address(), shape),
                .is_renormalised = request.is_renormalised});
  ids.download(decision.expert_ids.values().data());
  weights.download(decision.weights.values().data());
#endif
  return decision;
}

}  // namespace switchyard
