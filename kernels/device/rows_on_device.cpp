#include "kernels/device/rows_on_device.hpp"

#include <fmt/core.h>

#include "kernels/device/token_count.hpp"

namespace switchyard {

RowsOnDevice::RowsOnDevice(MatrixView<const float> logits, std::size_t slots)
    : device_(current_device()),
      tokens_(logits.rows()),
      experts_(logits.columns()),
      slots_(slots),
      logits_(device_, logits.values()),
      ids_(device_, tokens_ * slots),
      weights_(device_, tokens_ * slots) {}

RowArguments RowsOnDevice::arguments() const {
  RowArguments arguments;
  arguments.logits = logits_.address();
  arguments.expert_ids = ids_.address();
  arguments.gate_weights = weights_.address();
  arguments.tokens = device_token_count(tokens_);
  arguments.experts = static_cast<std::int32_t>(experts_);
  arguments.slots = static_cast<std::int32_t>(slots_);
  arguments.has_vector_rows = experts_ % 4 == 0;
  return arguments;
}

void RowsOnDevice::route(std::string_view router, RowArguments arguments) {
  const RowPlan plan =
      plan_rows(arguments.tokens, arguments.experts, arguments.slots, device_.multiprocessors());
  arguments.tokens_per_warp = plan.tokens_per_warp;
  device_.launch(fmt::format("switchyard_{}_e{}_k{}", router, plan.expert_tier, plan.slot_tier),
                 plan.blocks,
                 kRowWarps * 32,
                 arguments);
}

RoutingDecision RowsOnDevice::decision() const {
  RoutingDecision decision{.expert_ids = Matrix<std::int32_t>(tokens_, slots_),
                           .weights = Matrix<float>(tokens_, slots_)};
  ids_.download(decision.expert_ids.values());
  weights_.download(decision.weights.values());
  return decision;
}

}  // namespace switchyard
