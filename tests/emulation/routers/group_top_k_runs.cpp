#include "tests/emulation/routers/group_top_k_runs.hpp"

#include <fmt/core.h>

#include "kernels/device/device_array.hpp"
#include "kernels/device/group_top_k_on_device.hpp"

namespace switchyard {

std::string GroupTopKCase::name() const {
  return fmt::format(
      "{}_g{}of{}_{}", rows.name(), kept_groups, groups, sums_best_two ? "two" : "one");
}

std::vector<GroupTopKCase> group_top_k_cases() {
  struct Size {
    std::int32_t tokens, experts, slots, groups, kept_groups;
  };

  constexpr Size kSizes[] = {{37, 256, 8, 8, 4},
                             {33, 160, 6, 8, 3},
                             {31, 64, 6, 8, 4},
                             {32, 60, 4, 5, 2},
                             {1, 256, 8, 8, 4},
                             {27, 384, 8, 1, 1},
                             {19, 512, 8, 16, 5},
                             {20, 96, 8, 32, 20},
                             {18, 9, 2, 3, 1}};
  std::vector<GroupTopKCase> cases;
  for (const LogitType type : {LogitType::Float32, LogitType::Bfloat16, LogitType::Float16}) {
    for (const Size& size : kSizes) {
      GroupTopKCase test;
      test.rows.shape = {
          .logit_type = type, .tokens = size.tokens, .experts = size.experts, .slots = size.slots};
      test.rows.is_renormalised = cases.size() % 4 != 1;
      test.rows.scale = cases.size() % 2 == 0 ? 2.5F : 1.0F;
      test.rows.seed = 500 + cases.size();
      test.groups = size.groups;
      test.kept_groups = size.kept_groups;
      test.sums_best_two = cases.size() % 3 != 2;
      cases.push_back(test);
    }
  }
  return cases;
}

std::vector<float> make_bias(const GroupTopKCase& test) {
  std::vector<float> bias(static_cast<std::size_t>(test.rows.shape.experts));
  for (std::size_t expert = 0; expert < bias.size(); ++expert) {
    bias[expert] = static_cast<float>(expert * 37 % 11) * 0.015625F - 0.078125F;
  }
  return bias;
}

TopKResult run_group_top_k(KernelDevice& device,
                           const GroupTopKCase& test,
                           const LogitBuffer& logits) {
  const TopKShape& shape = test.rows.shape;
  const auto choices =
      static_cast<std::size_t>(shape.tokens) * static_cast<std::size_t>(shape.slots);
  const std::vector<float> bias = make_bias(test);
  const DeviceArray<std::uint32_t> rows(device, logits.words);
  const DeviceArray<float> biases(device, bias);
  const DeviceArray<std::int32_t> ids(device, choices);
  const DeviceArray<float> weights(device, choices);
  launch_group_top_k(device,
                     shape,
                     {.logits = rows.address(),
                      .bias = biases.address(),
                      .expert_ids = ids.address(),
                      .gate_weights = weights.address(),
                      .groups = test.groups,
                      .kept_groups = test.kept_groups,
                      .scale = test.rows.scale,
                      .sums_best_two = test.sums_best_two,
                      .is_renormalised = test.rows.is_renormalised});
  return {.expert_ids = ids.values(), .gate_weights = weights.values()};
}

TopKResult emulated_group_top_k(const GroupTopKCase& test,
                                const LogitBuffer& logits,
                                const EmulationOptions& options) {
  EmulatedDevice device(options);
  return run_group_top_k(device, test, logits);
}

}  // namespace switchyard
